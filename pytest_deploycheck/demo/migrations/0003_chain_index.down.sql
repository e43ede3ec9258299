DROP TABLE indexer_cursor;
DROP TABLE chain_events;
