CREATE TABLE purchases (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id         bigint NOT NULL REFERENCES users (id),
    tokens          numeric(78, 0) NOT NULL CHECK (tokens > 0),
    cost_wei        numeric(78, 0) NOT NULL CHECK (cost_wei >= 0),
    tx_hash         text UNIQUE,
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'confirmed', 'failed')),
    idempotency_key text NOT NULL UNIQUE,
    created_at      timestamptz NOT NULL DEFAULT now(),
    confirmed_at    timestamptz,
    run_tag         text
);
CREATE INDEX purchases_user_id ON purchases (user_id);
CREATE INDEX purchases_pending ON purchases (created_at) WHERE status = 'pending';

CREATE TABLE redemptions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id         bigint NOT NULL REFERENCES users (id),
    tokens          numeric(78, 0) NOT NULL CHECK (tokens > 0),
    cost_wei        numeric(78, 0) NOT NULL CHECK (cost_wei >= 0),
    tx_hash         text UNIQUE,
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'confirmed', 'failed')),
    idempotency_key text NOT NULL UNIQUE,
    created_at      timestamptz NOT NULL DEFAULT now(),
    confirmed_at    timestamptz,
    run_tag         text
);
CREATE INDEX redemptions_user_id ON redemptions (user_id);
CREATE INDEX redemptions_pending ON redemptions (created_at) WHERE status = 'pending';

GRANT SELECT, INSERT, UPDATE, DELETE ON purchases, redemptions TO token_app;
GRANT SELECT ON purchases, redemptions TO deploycheck;
