/** What crier.d.ts declares is there in crier.js. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as module from "../../web/crier.js";

const declared = readFileSync(new URL("../../web/crier.d.ts", import.meta.url), "utf8");

const exported = [...declared.matchAll(/^export (?:class|function) (\w+)/gm)].map(([, one]) => one);

/** The names of the members that a class or an interface declares. */
function membersOf(name) {
  const [, body] = declared.match(
    new RegExp(`^export (?:class|interface) ${name}\\b[^{]*\\{\n(.*?)^\\}`, "ms"),
  );
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[<(:]/gm)].map(([, member]) => member);
}

const made = {
  Crier: () => new module.Crier("wss://host"),
  FollowedChannel: () => module.followChannel(Math.random),
  UnauthorizedError: () => new module.UnauthorizedError("signed out"),
};

test("the module exports what is declared, and nothing else", () => {
  assert.deepEqual(Object.keys(module).sort(), exported.sort());
});

for (const [name, make] of Object.entries(made))
  test(`${name} has the members that are declared, and no others`, () => {
    const members = membersOf(name);
    const instance = make();
    const prototype = Object.getPrototypeOf(instance);
    const behind = prototype === Object.prototype ? [] : Object.getOwnPropertyNames(prototype);

    const found = [...Object.keys(instance), ...behind].filter((one) => one !== "constructor");

    assert.ok(members.length > 0);
    assert.deepEqual(new Set(found), new Set(members.filter((one) => one !== "constructor")));
  });

test("an UnauthorizedError is an error of that name", () => {
  const error = new module.UnauthorizedError("signed out");

  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.message], ["UnauthorizedError", "signed out"]);
});
