// Runs the audits of graphql-http against a server, and prints what is not ok, and a count.
import { auditServer } from 'graphql-http';

const results = await auditServer({ url: process.argv[2] });
const faults = results.filter((result) => result.status !== 'ok');
for (const { status, id, name, reason } of faults) console.log(`${status} ${id} ${name}: ${reason}`);
console.log(`${results.length - faults.length} of ${results.length} ok`);
