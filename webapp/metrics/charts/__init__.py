"""The geometry of the charts, a module for each kind; templates draw them as SVG.

Horizontal positions are per cent of the width and vertical ones pixels, so that a chart fills any width
while its text keeps its size. Everything a chart shows is also in a table beside it.
"""

from webapp.metrics.charts.bands import Bands, Mark, Measured, bands
from webapp.metrics.charts.bars import Bar, Bars, bars, funnel
from webapp.metrics.charts.columns import Column, Columns, columns
from webapp.metrics.charts.curve import Curve, curve
from webapp.metrics.charts.forest import Difference, Forest, forest
from webapp.metrics.charts.lineage import FOLD_FROM, Lineage, Node, fold, lineage
from webapp.metrics.charts.reliability import Bin, Reliability, reliability
from webapp.metrics.charts.scale import Tick, nice_ticks
from webapp.metrics.charts.spark import Spark, sparkline
from webapp.metrics.charts.trend import Line, Point, Trend, trend

__all__ = [
    "FOLD_FROM",
    "Bands",
    "Bar",
    "Bars",
    "Bin",
    "Column",
    "Columns",
    "Curve",
    "Difference",
    "Forest",
    "Line",
    "Lineage",
    "Mark",
    "Measured",
    "Node",
    "Point",
    "Reliability",
    "Spark",
    "Tick",
    "Trend",
    "bands",
    "bars",
    "columns",
    "curve",
    "fold",
    "forest",
    "funnel",
    "lineage",
    "nice_ticks",
    "reliability",
    "sparkline",
    "trend",
]
