// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// A library with a public function, so that its address is linked into what uses it.
library Prices {
    function cost(uint256 tokens, uint256 price) public pure returns (uint256) {
        return tokens * price;
    }
}

/// Everything that a comparison must resolve: immutables of several types, a linked library, roles, an owner.
contract Vault {
    bytes32 public constant DEFAULT_ADMIN_ROLE = 0x00;
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    uint256 public immutable price;
    address public immutable treasury;
    bytes4 public immutable tag;

    address public owner;
    address public pendingOwner;
    bool public paused;
    string public name;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(bytes32 => mapping(address => bool)) public hasRole;

    event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender);
    event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender);
    event Purchased(address indexed buyer, uint256 tokens, uint256 cost);
    event Redeemed(address indexed holder, uint256 tokens, uint256 payout);

    constructor(uint256 price_, address treasury_, address owner_, string memory name_) {
        price = price_;
        treasury = treasury_;
        tag = bytes4(keccak256(bytes(name_)));
        owner = owner_;
        name = name_;
        _grant(DEFAULT_ADMIN_ROLE, owner_);
    }

    function buy() external payable returns (uint256 tokens) {
        require(!paused, "paused");
        tokens = msg.value / price;
        require(tokens > 0 && Prices.cost(tokens, price) == msg.value, "not a multiple of the price");
        totalSupply += tokens;
        balanceOf[msg.sender] += tokens;
        emit Purchased(msg.sender, tokens, msg.value);
    }

    function redeem(uint256 tokens) external {
        require(!paused, "paused");
        require(balanceOf[msg.sender] >= tokens, "insufficient token balance");
        balanceOf[msg.sender] -= tokens;
        totalSupply -= tokens;
        emit Redeemed(msg.sender, tokens, Prices.cost(tokens, price));
        (bool paid, ) = msg.sender.call{value: Prices.cost(tokens, price)}("");
        require(paid, "payout failed");
    }

    function transferOwnership(address next) external {
        require(msg.sender == owner, "caller is not the owner");
        pendingOwner = next;
    }

    function pause() external {
        require(msg.sender == owner || hasRole[PAUSER_ROLE][msg.sender], "caller may not pause");
        paused = true;
    }

    function grantRole(bytes32 role, address account) external {
        require(hasRole[DEFAULT_ADMIN_ROLE][msg.sender], "caller is no admin");
        _grant(role, account);
    }

    function revokeRole(bytes32 role, address account) external {
        require(hasRole[DEFAULT_ADMIN_ROLE][msg.sender], "caller is no admin");
        hasRole[role][account] = false;
        emit RoleRevoked(role, account, msg.sender);
    }

    function _grant(bytes32 role, address account) private {
        hasRole[role][account] = true;
        emit RoleGranted(role, account, msg.sender);
    }
}

/// Immutables that follow from where and when it is deployed, and by whom, beside one that does not.
contract Contextual {
    address public immutable self = address(this);
    uint256 public immutable deployedAt = block.timestamp;
    address public immutable maker = msg.sender;
    bytes32 public immutable domain = keccak256(abi.encode(block.chainid, address(this)));
    uint256 public immutable price;
    address public owner;

    constructor(uint256 price_, address owner_) {
        price = price_;
        owner = owner_;
    }
}
