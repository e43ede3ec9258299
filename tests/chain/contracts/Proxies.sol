// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// A token behind a proxy; its initialised marker stands where OpenZeppelin Contracts 5 keeps it (ERC-7201).
contract Upgradeable {
    bytes32 private constant INITIALIZABLE =
        0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00;

    address public owner;
    uint256 public price;
    bool public paused;

    constructor(bool lock) {
        if (lock) _mark(type(uint64).max);
    }

    function initialize(address owner_, uint256 price_) external {
        require(_marked() == 0, "already initialized");
        _mark(1);
        owner = owner_;
        price = price_;
    }

    function _marked() private view returns (uint64 marked) {
        assembly {
            marked := sload(INITIALIZABLE)
        }
    }

    function _mark(uint64 value) private {
        assembly {
            sstore(INITIALIZABLE, value)
        }
    }
}

/// The same with a plain flag in its first slot, as older code has it.
contract UpgradeableOld {
    bool private initialized;
    address public owner;
    uint256 public price;

    constructor(bool lock) {
        initialized = lock;
    }

    function initialize(address owner_, uint256 price_) external {
        require(!initialized, "already initialized");
        initialized = true;
        owner = owner_;
        price = price_;
    }
}

abstract contract Forwarder {
    function _implementation() internal view virtual returns (address);

    fallback() external payable {
        address to = _implementation();
        assembly {
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), to, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }

    receive() external payable {}

    function _store(bytes32 slot, address value) internal {
        assembly {
            sstore(slot, value)
        }
    }

    function _load(bytes32 slot) internal view returns (address value) {
        assembly {
            value := sload(slot)
        }
    }
}

/// EIP-1967: implementation and admin in their slots.
contract Proxy is Forwarder {
    bytes32 private constant IMPLEMENTATION =
        0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
    bytes32 private constant ADMIN = 0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103;

    constructor(address implementation_, address admin_, bytes memory data) payable {
        _store(IMPLEMENTATION, implementation_);
        _store(ADMIN, admin_);
        if (data.length > 0) {
            (bool ok, ) = implementation_.delegatecall(data);
            require(ok, "initialize failed");
        }
    }

    function _implementation() internal view override returns (address) {
        return _load(IMPLEMENTATION);
    }
}

contract Beacon {
    address public implementation;
    address public owner;

    constructor(address implementation_, address owner_) {
        implementation = implementation_;
        owner = owner_;
    }

    function upgradeTo(address next) external {
        require(msg.sender == owner, "caller is not the owner");
        implementation = next;
    }
}

/// EIP-1967: a beacon that names the implementation.
contract BeaconProxy is Forwarder {
    bytes32 private constant BEACON = 0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50;

    constructor(address beacon_, bytes memory data) payable {
        _store(BEACON, beacon_);
        if (data.length > 0) {
            (bool ok, ) = Beacon(beacon_).implementation().delegatecall(data);
            require(ok, "initialize failed");
        }
    }

    function _implementation() internal view override returns (address) {
        return Beacon(_load(BEACON)).implementation();
    }
}

/// Makes minimal proxies (EIP-1167).
contract Cloner {
    event Cloned(address clone);

    function clone(address implementation, bytes calldata data) external returns (address made) {
        bytes20 target = bytes20(implementation);
        assembly {
            let code := mload(0x40)
            mstore(code, 0x3d602d80600a3d3981f3363d3d373d3d3d363d73000000000000000000000000)
            mstore(add(code, 0x14), target)
            mstore(add(code, 0x28), 0x5af43d82803e903d91602b57fd5bf30000000000000000000000000000000000)
            made := create(0, code, 0x37)
        }
        require(made != address(0), "create failed");
        emit Cloned(made);
        if (data.length > 0) {
            (bool ok, ) = made.call(data);
            require(ok, "initialize failed");
        }
    }
}

/// Holds another contract's creation code, with its metadata inside.
contract Factory {
    event Made(address child);

    function make(address implementation, address owner) external {
        emit Made(address(new Beacon(implementation, owner)));
    }
}
