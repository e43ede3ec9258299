CREATE TABLE chain_events (
    tx_hash      text NOT NULL,
    log_index    integer NOT NULL,
    kind         text NOT NULL,
    address      text NOT NULL,
    tokens       numeric(78, 0) NOT NULL,
    wei          numeric(78, 0) NOT NULL,
    block_number bigint NOT NULL,
    PRIMARY KEY (tx_hash, log_index)
);
CREATE INDEX chain_events_address ON chain_events (address, block_number);

-- One row: the last block whose events are all in chain_events.
CREATE TABLE indexer_cursor (
    singleton    boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    block_number bigint NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now()
);
INSERT INTO indexer_cursor (block_number) VALUES (0);

GRANT SELECT, INSERT, UPDATE, DELETE ON chain_events, indexer_cursor TO token_app;
GRANT SELECT ON chain_events, indexer_cursor TO deploycheck;
