// Compiles the contracts of the tests into compiled.json, solc's standard JSON output without what no test reads,
// and commented.json: the same sources with a comment added, which differ in their metadata only.
// Needed only after editing a contract: npm install solc@0.8.37 && node compile.mjs (NODE_PATH may point at
// another node_modules).
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(process.env.NODE_PATH ? `${process.env.NODE_PATH}/` : import.meta.url);
const solc = require("solc");
const FILES = ["Vault.sol", "Proxies.sol"];
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const settings = {
  evmVersion: "shanghai",
  optimizer: { enabled: true, runs: 200 },
  outputSelection: { "*": { "*": ["abi", "metadata", "evm.bytecode", "evm.deployedBytecode"], "": ["ast"] } },
};

// Of the syntax trees the immutable variables alone: names and types by their ids.
const immutables = (node) =>
  Array.isArray(node)
    ? node.flatMap(immutables)
    : node && typeof node === "object"
      ? node.mutability === "immutable"
        ? [
            {
              nodeType: node.nodeType,
              id: node.id,
              name: node.name,
              mutability: node.mutability,
              typeDescriptions: { typeString: node.typeDescriptions.typeString },
            },
          ]
        : Object.values(node).flatMap(immutables)
      : [];

const compile = (comment) => {
  const sources = Object.fromEntries(
    FILES.map((name) => [name, { content: readFileSync(here(name), "utf8") + comment }]),
  );
  const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources, settings })));
  for (const problem of output.errors ?? []) console.error(problem.formattedMessage);
  if ((output.errors ?? []).some((problem) => problem.severity === "error")) process.exit(1);
  const code = ({ object, linkReferences, immutableReferences }) => ({ object, linkReferences, immutableReferences });
  return {
    contracts: Object.fromEntries(
      FILES.map((name) => [
        name,
        Object.fromEntries(
          Object.entries(output.contracts[name]).map(([contract, { abi, metadata, evm }]) => [
            contract,
            {
              abi,
              metadata,
              evm: { bytecode: code(evm.bytecode), deployedBytecode: code(evm.deployedBytecode) },
            },
          ]),
        ),
      ]),
    ),
    sources: Object.fromEntries(
      FILES.map((name) => [
        name,
        { id: output.sources[name].id, ast: { nodeType: "SourceUnit", nodes: immutables(output.sources[name].ast) } },
      ]),
    ),
  };
};

for (const [file, comment] of [["compiled.json", ""], ["commented.json", "// Another comment.\n"]]) {
  writeFileSync(here(file), JSON.stringify(compile(comment), null, 1) + "\n");
}
