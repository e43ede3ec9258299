DROP TABLE wallets;
DROP TABLE users;
