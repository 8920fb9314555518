/** What crier.d.ts declares is there in crier.js. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as module from "../../web/crier.js";

const declared = readFileSync(new URL("../../web/crier.d.ts", import.meta.url), "utf8");

/** Each class that is declared, with the names of its members. */
const classes = [...declared.matchAll(/^export class (\w+)[^{]*\{\n(.*?)^\}/gms)].map(
  ([, name, body]) => [
    name,
    [...body.matchAll(/^ {2}(?:readonly )?(\w+)[<(:]/gm)].map(([, m]) => m),
  ],
);

const made = {
  Crier: () => new module.Crier("wss://host"),
  FollowedChannel: () => new module.FollowedChannel(Math.random),
  UnauthorizedError: () => new module.UnauthorizedError("signed out"),
};

test("the module exports what is declared, and nothing else", () => {
  assert.deepEqual(Object.keys(module).sort(), classes.map(([name]) => name).sort());
});

for (const [name, members] of classes)
  test(`${name} has the members that are declared, and no others`, () => {
    const instance = made[name]();
    const prototype = Object.getPrototypeOf(instance);

    const found = [...Object.keys(instance), ...Object.getOwnPropertyNames(prototype)];

    assert.ok(members.length > 0);
    assert.deepEqual(new Set(found), new Set(["constructor", ...members]));
  });

test("an UnauthorizedError is an error of that name", () => {
  const error = new module.UnauthorizedError("signed out");

  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.message], ["UnauthorizedError", "signed out"]);
});
