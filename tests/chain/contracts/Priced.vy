# pragma version ^0.4.0
price: public(immutable(uint256))
owner: public(immutable(address))
total: public(uint256)
@deploy
def __init__(p: uint256, o: address):
    price = p
    owner = o
    self.total = 1
@external
def bump():
    self.total += price
