CREATE TABLE refresh_tokens (
    jti        text PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users (id),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX refresh_tokens_user_id ON refresh_tokens (user_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_tokens TO token_app;
