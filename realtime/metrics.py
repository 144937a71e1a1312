"""What Prometheus may know of the engine in this process.

Nothing is measured on the way of an event: the numbers are those that the engine has
anyway, read when a scrape asks for them.
"""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime import hub
from realtime.connection import open_connections
from realtime.doorbell import reachability
from realtime.outbox import closes
from realtime.protocols.close_codes import CloseCode
from realtime.subscription import Subscription
from realtime.transports.streaming import open_streams


class RealtimeCollector(Collector):
    """Collects the metrics of this process; register it in a registry of prometheus-client.

    Let it be scraped on the event loop that serves, whose state it reads.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its present value."""
        yield GaugeMetricFamily(
            "realtime_channel_layer_reachable",
            "Whether the channel layer can be reached, so far as is known: 1, or 0.",
            value=reachability.is_reachable,
        )
        yield CounterMetricFamily(
            "realtime_channel_layer_losses_total",
            "How often the channel layer was lost.",
            value=reachability.losses,
        )
        yield GaugeMetricFamily(
            "realtime_websocket_connections", "Open WebSockets.", value=open_connections()
        )
        yield GaugeMetricFamily(
            "realtime_http_streams", "Open streams over HTTP.", value=open_streams()
        )
        yield GaugeMetricFamily(
            "realtime_subscriptions", "Live subscriptions.", value=Subscription.live
        )
        yield GaugeMetricFamily(
            "realtime_followed_topics",
            "Topics that have a subscription.",
            value=hub.followed_topics(),
        )
        yield CounterMetricFamily(
            "realtime_events_handed_out_total",
            "Events handed out to subscriptions.",
            value=hub.Hub.handed_out,
        )
        yield CounterMetricFamily(
            "realtime_subscription_overflows_total",
            "How often a subscription fell behind, and read the log again.",
            value=Subscription.overflows,
        )
        closed = CounterMetricFamily(
            "realtime_websocket_closes_total",
            "WebSockets that the server closed, by the close code.",
            labels=["code"],
        )
        for code in CloseCode:
            closed.add_metric([str(int(code))], closes[code])
        yield closed
