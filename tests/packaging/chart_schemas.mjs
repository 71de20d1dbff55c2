// SPDX-License-Identifier: Apache-2.0
//
// node chart_schemas.mjs MODULES: reads a JSON list of Kubernetes objects from standard input and checks
// each against its schema of the npm packages below MODULES. An object without a schema fails.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folders = {
  v1: "kubernetes-models/v1",
  "apps/v1": "kubernetes-models/apps/v1",
  "batch/v1": "kubernetes-models/batch/v1",
  "rbac.authorization.k8s.io/v1": "kubernetes-models/rbac.authorization.k8s.io/v1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};
let checked = 0;
for (const object of JSON.parse(readFileSync(0, "utf8"))) {
  // By its path: the packages export this file to import, and to require() another.
  const file = `${process.argv[2]}/${folders[object.apiVersion]}/${object.kind}.js`;
  const Model = (await import(pathToFileURL(file)))[object.kind];
  try {
    new Model(object).validate();
  } catch (error) {
    console.error(`${object.kind} ${object.metadata.name}: ${error.message}`);
    process.exit(1);
  }
  checked += 1;
}
if (checked === 0) {
  console.error("there is no object");
  process.exit(1);
}
