// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Owner of the token: a call happens when two of three guardians have approved the same one.
contract Guardians {
    uint256 public constant threshold = 2;
    address[3] public guardians;
    /// Number of calls made so far; part of what is approved, so that an approval counts once.
    uint256 public round;
    mapping(bytes32 => mapping(address => bool)) public approved;

    event Approved(address indexed guardian, address indexed target, bytes data, uint256 round);
    event Executed(address indexed target, bytes data, uint256 round);

    constructor(address[3] memory guardians_) {
        for (uint256 i = 0; i < 3; i++) {
            require(guardians_[i] != address(0), "guardian is zero");
            for (uint256 j = 0; j < i; j++) {
                require(guardians_[i] != guardians_[j], "guardian named twice");
            }
        }
        guardians = guardians_;
    }

    /// Approves a call; the approval that reaches the threshold also makes it.
    function approve(address target, bytes calldata data) external returns (bool executed) {
        require(_isGuardian(msg.sender), "caller is not a guardian");
        bytes32 id = keccak256(abi.encode(target, data, round));
        approved[id][msg.sender] = true;
        emit Approved(msg.sender, target, data, round);
        if (_count(id) >= threshold) {
            emit Executed(target, data, round);
            round += 1;
            (executed, ) = target.call(data);
            require(executed, "call failed");
        }
    }

    function _isGuardian(address account) private view returns (bool) {
        return account == guardians[0] || account == guardians[1] || account == guardians[2];
    }

    function _count(bytes32 id) private view returns (uint256 n) {
        for (uint256 i = 0; i < 3; i++) {
            if (approved[id][guardians[i]]) n += 1;
        }
    }
}
