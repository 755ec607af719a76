"""What the dashboard shows, in the order of the questions that somebody has who was called at night."""

from collections.abc import Sequence
from typing import NamedTuple


class Query(NamedTuple):
    """One or more lines of a panel: their PromQL, and what each is called."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """One picture. *unit* is one of Grafana's; *warn_above* colours a single number, *about* is shown on demand."""

    title: str
    queries: Sequence[Query]
    unit: str = "short"
    about: str = ""
    stat: bool = False
    stacked: bool = False
    warn_above: float | None = None


class Row(NamedTuple):
    """Panels side by side, under a heading."""

    title: str
    panels: Sequence[Panel]


def _rate(metric: str, by: str = "") -> str:
    """What *metric* grows by a second, over all instances of the job or *by* a label."""
    grouped = f" by ({by})" if by else ""
    return f'sum{grouped} (rate({metric}{{job="$job"}}[$__rate_interval]))'


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, {_rate(f'{metric}_bucket', 'le')})"


def _mean(metric: str) -> str:
    return f"{_rate(f'{metric}_sum')} / {_rate(f'{metric}_count')}"


def _gauge(metric: str, how: str = "sum", by: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    return f'{how}{grouped} ({metric}{{job="$job"}})'


ROWS = (
    Row(
        "Is it well?",
        (
            Panel("Ready instances", (Query(_gauge("batchsum_ready"), "ready"),), stat=True),
            Panel("Batches a second", (Query(_rate("batchsum_records_total"), "batches"),), "short", stat=True),
            Panel(
                "Furthest behind", (Query(_gauge("batchsum_lag_seconds", "max"), "lag"),), "s", stat=True, warn_above=60
            ),
            Panel(
                "Rejected in the last hour",
                (Query('sum(increase(batchsum_rejections_total{job="$job"}[1h]))', "rejected"),),
                stat=True,
                warn_above=0,
            ),
        ),
    ),
    Row(
        "Work",
        (
            Panel(
                "Batches a second",
                (
                    Query(_rate("batchsum_results_total"), "answered"),
                    Query(_rate("batchsum_rejections_total", "code"), "{{code}}"),
                ),
                stacked=True,
            ),
            Panel("Bytes a second", (Query(_rate("batchsum_bytes_total"), "requests"),), "Bps"),
        ),
    ),
    Row(
        "Time",
        (
            Panel(
                "From fetch to durable",
                tuple(
                    Query(_quantile(share, "batchsum_chunk_seconds"), f"p{share * 100:g}")
                    for share in (0.5, 0.99, 0.999)
                ),
                "s",
                "Of whole chunks: what a request waits in the topic before it is fetched is the lag.",
            ),
            Panel(
                "Where a chunk's time goes",
                tuple(
                    Query(_mean(f"batchsum_{step}_seconds"), step) for step in ("queue", "compute", "publish", "commit")
                ),
                "s",
                stacked=True,
            ),
            Panel(
                "Records of a chunk",
                (
                    Query(_mean("batchsum_chunk_records"), "mean"),
                    Query(_quantile(0.99, "batchsum_chunk_records"), "p99"),
                ),
                about="Grows under load: that is how many small batches share the price of one call.",
            ),
        ),
    ),
    Row(
        "Lag",
        (
            Panel("Seconds behind", (Query(_gauge("batchsum_lag_seconds", "max", "partition"), "{{partition}}"),), "s"),
            Panel("Records behind", (Query(_gauge("batchsum_lag_records", "max", "partition"), "{{partition}}"),)),
            Panel(
                "Chunks in flight",
                (
                    Query(_gauge("batchsum_in_flight_chunks"), "in flight"),
                    Query(_gauge("batchsum_in_flight_chunks_max"), "at most"),
                ),
            ),
            Panel(
                "Bytes in flight",
                (
                    Query(_gauge("batchsum_in_flight_bytes"), "in flight"),
                    Query(_gauge("batchsum_in_flight_bytes_max"), "at most"),
                ),
                "bytes",
            ),
        ),
    ),
    Row(
        "Workers",
        (
            Panel(
                "Workers",
                (
                    Query(_gauge("batchsum_workers_busy"), "busy"),
                    Query(_gauge("batchsum_workers"), "there"),
                ),
            ),
            Panel(
                "Trouble with workers, an hour",
                tuple(
                    Query(f'sum(increase(batchsum_{name}_total{{job="$job"}}[1h]))', name.replace("_", " "))
                    for name in ("worker_rebuilds", "quarantines", "chunk_timeouts")
                ),
            ),
            Panel(
                "Processor time of the parents",
                (Query(_rate("process_cpu_seconds_total", "instance"), "{{instance}}"),),
            ),
            Panel(
                "Memory of the parents",
                (Query(_gauge("process_resident_memory_bytes", "sum", "instance"), "{{instance}}"),),
                "bytes",
            ),
        ),
    ),
    Row(
        "Group",
        (
            Panel(
                "Rebalances, an hour",
                (Query('sum(increase(batchsum_rebalances_total{job="$job"}[1h]))', "rebalances"),),
            ),
            Panel(
                "Chunks in flight at a rebalance, an hour",
                tuple(
                    Query(f'sum(increase(batchsum_{fate}_chunks_total{{job="$job"}}[1h]))', fate)
                    for fate in ("drained", "dropped")
                ),
            ),
            Panel(
                "Refused, an hour",
                (
                    Query('sum(increase(batchsum_commits_refused_total{job="$job"}[1h]))', "commits"),
                    Query('sum by (topic) (increase(batchsum_producers_replaced_total{job="$job"}[1h]))', "{{topic}}"),
                ),
            ),
            Panel(
                "Event loop stalls, an hour",
                (Query('sum by (instance) (increase(batchsum_loop_stalls_total{job="$job"}[1h]))', "{{instance}}"),),
            ),
        ),
    ),
)
