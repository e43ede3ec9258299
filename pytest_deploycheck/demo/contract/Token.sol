// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// The token of the reference deployment: bought and redeemed at one fixed price in ether.
/// It holds exactly what redeeming every token would cost, so `balance == totalSupply * price` at all times.
/// A token is not divisible, hence no decimals.
contract Token {
    string public constant name = "Deploycheck Demo Token";
    string public constant symbol = "DEMO";
    uint8 public constant decimals = 0;
    uint256 public constant maxSupply = 1_000_000_000;

    /// Wei for one token.
    uint256 public immutable price;

    address public owner;
    bool public paused;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed holder, address indexed spender, uint256 value);
    event Purchased(address indexed buyer, uint256 tokens, uint256 cost);
    event Redeemed(address indexed holder, uint256 tokens, uint256 payout);
    event Paused(address account);
    event Unpaused(address account);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    modifier onlyOwner() {
        require(msg.sender == owner, "caller is not the owner");
        _;
    }

    modifier whenNotPaused() {
        require(!paused, "paused");
        _;
    }

    constructor(uint256 price_, address owner_) {
        require(price_ > 0, "price is zero");
        require(owner_ != address(0), "owner is zero");
        price = price_;
        owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
    }

    /// Mints one token for each `price` wei sent.
    function buy() external payable whenNotPaused returns (uint256 tokens) {
        require(msg.value > 0 && msg.value % price == 0, "payment is not a multiple of the price");
        tokens = msg.value / price;
        require(totalSupply + tokens <= maxSupply, "supply exhausted");
        totalSupply += tokens;
        balanceOf[msg.sender] += tokens;
        emit Transfer(address(0), msg.sender, tokens);
        emit Purchased(msg.sender, tokens, msg.value);
    }

    /// Burns tokens of the caller and pays their price back.
    function redeem(uint256 tokens) external whenNotPaused {
        require(tokens > 0, "nothing to redeem");
        require(balanceOf[msg.sender] >= tokens, "insufficient token balance");
        uint256 payout = tokens * price;
        balanceOf[msg.sender] -= tokens;
        totalSupply -= tokens;
        emit Transfer(msg.sender, address(0), tokens);
        emit Redeemed(msg.sender, tokens, payout);
        (bool paid, ) = msg.sender.call{value: payout}("");
        require(paid, "payout failed");
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        require(allowed >= value, "insufficient allowance");
        if (allowed != type(uint256).max) {
            allowance[from][msg.sender] = allowed - value;
        }
        _move(from, to, value);
        return true;
    }

    function pause() external onlyOwner {
        paused = true;
        emit Paused(msg.sender);
    }

    function unpause() external onlyOwner {
        paused = false;
        emit Unpaused(msg.sender);
    }

    function transferOwnership(address newOwner) external onlyOwner {
        require(newOwner != address(0), "owner is zero");
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }

    function _move(address from, address to, uint256 value) private whenNotPaused {
        require(to != address(0), "recipient is zero");
        require(balanceOf[from] >= value, "insufficient token balance");
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}
