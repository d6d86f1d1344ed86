// The web playground: GraphiQL against the gateway that served this page, and nothing else.
// What it needs to know comes from /playground/settings.json: { endpoint, defaultQuery }.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import 'graphiql/style.css';
import { createRoot } from 'react-dom/client';
import './playground.css';
import { withSubscriptions } from './subscription.js';
import { TokenField, withToken } from './token.jsx';

const SETTINGS = '/playground/settings.json';

async function readSettings() {
  const reply = await fetch(SETTINGS);
  if (!reply.ok) throw new Error(`${SETTINGS} answered ${reply.status}`);
  return reply.json();
}

function Playground({ fetcher, defaultQuery }) {
  return (
    <>
      <TokenField />
      <GraphiQL
        fetcher={fetcher}
        defaultQuery={defaultQuery}
        defaultEditorToolsVisibility={false}
        shouldPersistHeaders={false}
      >
        <GraphiQL.Logo>Portcullis</GraphiQL.Logo>
      </GraphiQL>
    </>
  );
}

const root = createRoot(document.getElementById('playground'));
try {
  const { endpoint, defaultQuery } = await readSettings();
  const fetcher = withToken(withSubscriptions(createGraphiQLFetcher({ url: endpoint }), endpoint));
  root.render(<Playground fetcher={fetcher} defaultQuery={defaultQuery} />);
} catch (error) {
  root.render(
    <p className="note">
      The playground could not read its settings: {error.message}. Is the gateway still running?
    </p>,
  );
}
