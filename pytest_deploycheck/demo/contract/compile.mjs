// Compiles Token.sol and Guardians.sol into artifacts beside them. Needed only after editing a contract:
//   npm install solc@0.8.37 && node compile.mjs        (NODE_PATH may point at another node_modules)
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(process.env.NODE_PATH ? `${process.env.NODE_PATH}/` : import.meta.url);
const solc = require("solc");
const settings = {
  evmVersion: "shanghai",
  optimizer: { enabled: true, runs: 200 },
  outputSelection: {
    "*": { "*": ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode", "evm.methodIdentifiers"] },
  },
};

for (const contractName of ["Token", "Guardians"]) {
  const sourceName = `${contractName}.sol`;
  const content = readFileSync(fileURLToPath(new URL(sourceName, import.meta.url)), "utf8");
  const input = { language: "Solidity", sources: { [sourceName]: { content } }, settings };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  for (const problem of output.errors ?? []) console.error(problem.formattedMessage);
  if ((output.errors ?? []).some((problem) => problem.severity === "error")) process.exit(1);
  const { abi, evm } = output.contracts[sourceName][contractName];
  const artifact = {
    contractName,
    sourceName,
    sourceSha256: createHash("sha256").update(content).digest("hex"),
    compiler: {
      version: solc.version(),
      evmVersion: settings.evmVersion,
      optimizer: settings.optimizer,
    },
    abi,
    methodIdentifiers: evm.methodIdentifiers,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
    immutableReferences: evm.deployedBytecode.immutableReferences ?? {},
  };
  writeFileSync(
    fileURLToPath(new URL(`${contractName}.json`, import.meta.url)),
    JSON.stringify(artifact, null, 1) + "\n",
  );
}
