// Subscriptions, as server-sent events: an ordinary request whose answer goes on, so that headers, and with them the token,
// go the way of any other request. A stream that broke is not opened again: whoever looks at it sees that it did.
import { getOperationAST } from 'graphql';
import { createClient } from 'graphql-sse';

/** A fetcher that listens to subscriptions, and leaves the rest to another one. */
export function withSubscriptions(fetcher, url) {
  return (parameters, options = {}) => {
    const { documentAST, headers } = options;
    const operation = documentAST && getOperationAST(documentAST, parameters.operationName);
    return operation?.operation === 'subscription'
      ? listening(createClient({ url, headers, retryAttempts: 0 }), parameters)
      : fetcher(parameters, options);
  };
}

/** The stream in the form that GraphiQL stops: when its button is pressed, and when its tab is left. */
function listening(client, parameters) {
  return {
    subscribe(sink) {
      const error = (failure) => tell(failure, sink);
      const unsubscribe = client.subscribe(parameters, { ...sink, error });
      return { unsubscribe };
    },
  };
}

/** A refusal is an answer like any other; it only came without a stream. */
async function tell(failure, sink) {
  try {
    sink.next(await failure.response.json());
    sink.complete();
  } catch {
    sink.error(failure);
  }
}
