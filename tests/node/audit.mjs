// The audits of graphql-http against a running endpoint, one line each; exits with 1 if any is not `ok`.

import { serverAudits } from "graphql-http";

const url = process.argv[2];
let failed = 0;
for (const audit of serverAudits({ url })) {
  const result = await audit.fn();
  console.log(`${result.status} ${audit.id} ${audit.name}${result.reason ? `: ${result.reason}` : ""}`);
  if (result.status !== "ok") failed += 1;
}
process.exit(failed > 0 ? 1 : 0);
