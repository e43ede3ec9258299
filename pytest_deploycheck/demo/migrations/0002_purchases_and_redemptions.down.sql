DROP TABLE redemptions;
DROP TABLE purchases;
