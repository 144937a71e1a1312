import { useSyncExternalStore } from 'react';

/** Show the state of the running subscription, and its last events, newest first. */
export function Status({ store }) {
  const { phase, text, note, isRunning, events, count } = useSyncExternalStore(store.subscribe, store.get);
  return (
    <section className="live" aria-label="Subscription" data-phase={phase}>
      <div role="status">
        {text && <p className="live-state">{text}</p>}
        {note && <p>{note}</p>}
      </div>
      {isRunning && (
        <p>
          Choosing another tab stops it: to run something else meanwhile,{' '}
          <a href={location.pathname} target="_blank" rel="noopener">open a second window</a>.
        </p>
      )}
      {count > 0 && (
        <>
          <h2>{count === 1 ? '1 event' : `${count} events`}{count > events.length && `, the last ${events.length}`}</h2>
          <ol className="live-events" tabIndex={0} aria-label="Events, newest first">
            {events.map(({ number, time, text: json }) => (
              <li key={number}><time>{time}</time> <code>{json}</code></li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}
