import 'monaco-graphql/esm/monaco-editor.js'; // first: GraphiQL's styles override Monaco's
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './main.css';

import { createGraphiQLFetcher, StorageAPI } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { getOperationAST, parse } from 'graphql';
import { createRoot } from 'react-dom/client';

import { createLiveClient } from './live.js';
import { Status } from './Status.jsx';

const root = document.getElementById('graphiql');
const { url, tabs } = JSON.parse(document.getElementById('graphiql-config').textContent);

globalThis.MonacoEnvironment = {
  getWorker(_, label) {
    const { editorWorker, graphqlWorker, jsonWorker } = root.dataset;
    return new Worker({ graphql: graphqlWorker, json: jsonWorker }[label] ?? editorWorker);
  },
};

const wsUrl = new URL(url, location.href);
wsUrl.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';

let headers; // of the latest operation: the headers editor serves subscriptions too, as connection parameters

const live = createLiveClient({ url: wsUrl.href, connectionParams: () => headers });

const execute = createGraphiQLFetcher({
  url,
  fetch: (input, init) => fetch(input, { ...init, credentials: 'same-origin' }),
});

/** GraphiQL parses a document 100 ms after its last edit; run sooner, it brings the previous operation. */
function fetcher(params, options) {
  headers = options?.headers;
  let documentAST;
  try {
    documentAST = parse(params.query);
  } catch {
    return execute(params, { headers }); // the server reports the syntax error
  }
  const operation = getOperationAST(documentAST, params.operationName) ?? getOperationAST(documentAST);
  const named = { ...params, operationName: operation?.name?.value };
  return operation?.operation === 'subscription' ? live.observe(named) : execute(named, { headers, documentAST });
}

// GraphiQL restores the active tab's variables from these keys alone, and never takes them from `defaultTabs`.
const storage = new StorageAPI();
if (storage.get('tabState') === null) {
  storage.set('query', tabs[0].query);
  storage.set('variables', tabs[0].variables);
}

createRoot(root).render(
  <>
    <h1 className="page-title">GraphiQL</h1>
    <GraphiQL fetcher={fetcher} defaultTabs={tabs} defaultEditorToolsVisibility>
      <GraphiQL.Footer>
        <Status store={live.store} />
      </GraphiQL.Footer>
    </GraphiQL>
  </>,
);
