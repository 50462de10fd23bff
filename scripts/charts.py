"""Charts as SVG text: stacked bars over categories, and lines over two axes."""
import math
from html import escape

COLOURS = ["#0969da", "#bf8700", "#54aeff", "#8250df", "#bc4c00", "#1a7f37", "#bf3989", "#57606a", "#cf222e"]
STYLE = """<style>
  .card{fill:#ffffff;stroke:#d0d7de} .grid{stroke:#d8dee4;stroke-width:1} .axis{stroke:#57606a;stroke-width:1}
  text{font-family:"Helvetica Neue",Helvetica,Arial,"DejaVu Sans",sans-serif;font-size:13px;fill:#1f2328}
  .title{font-size:15px;font-weight:600} .quiet{fill:#57606a;font-size:12px}
  @media (prefers-color-scheme: dark){
    .card{fill:#0d1117;stroke:#30363d} .grid{stroke:#30363d} .axis{stroke:#9198a1} text{fill:#e6edf3}
    .quiet{fill:#9198a1}
  }
</style>"""
WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 590, 52, 340


def show(value):
    return f"{value:,.4g}" if abs(value) < 10000 else f"{value:,.0f}"


def steps(top):
    """Round numbers from 0 up to at least `top`."""
    size = 10 ** math.floor(math.log10(top))
    step = next(s * size / 10 for s in (1, 2, 5, 10, 20) if top / (s * size / 10) <= 8)
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


class Chart:
    def __init__(self, title, x, y, log_x=False, log_y=False):
        self.title, self.x, self.y, self.log_x, self.log_y = title, x, y, log_x, log_y
        self.bars_, self.lines_, self.categories_ = [], [], []

    def bars(self, label, values):
        self.bars_.append((label, values))

    def categories(self, names):
        self.categories_ = names

    def line(self, label, points, dashed=False):
        self.lines_.append((label, points, dashed))

    def svg(self):
        self.out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
                    f'height="{HEIGHT}" role="img" aria-label="{escape(self.title)}">', STYLE,
                    f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10"/>']
        self.text(24, 30, self.title, "title")
        self.text((LEFT + RIGHT) / 2, BOTTOM + 40, self.x, "quiet", "middle")
        self.out.append(f'<text class="quiet" transform="translate(20 {(TOP + BOTTOM) / 2}) rotate(-90)" '
                        f'text-anchor="middle">{escape(self.y)}</text>')
        if self.bars_:
            self.draw_bars()
        else:
            self.draw_lines()
        self.out.append("</svg>\n")
        return "\n".join(self.out)

    def text(self, x, y, content, kind="", anchor="start"):
        self.out.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
                        f"{escape(str(content))}</text>")

    def scale_y(self, low, high):
        """Draws the axis and its grid; returns value -> y."""
        if self.log_y:
            first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
            last = max(last, first + 1)
            ticks = [m * 10.0 ** e for e in range(first, last) for m in (1, 2, 5)] + [10.0 ** last]
            ticks = [t for t in ticks if low / 2 <= t]
            while len(ticks) > 2 and ticks[-2] >= high:
                ticks.pop()
            base, top = math.log10(ticks[0]), math.log10(ticks[-1])

            def place(value):
                return BOTTOM - (BOTTOM - TOP) * (math.log10(max(value, ticks[0])) - base) / (top - base)
        else:
            ticks = steps(high)

            def place(value):
                return BOTTOM - (BOTTOM - TOP) * value / ticks[-1]
        for tick in ticks:
            y = place(tick)
            self.out.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            self.text(LEFT - 8, y + 4, show(tick), "quiet", "end")
        self.out.append(f'<line class="axis" x1="{LEFT}" x2="{RIGHT}" y1="{BOTTOM}" y2="{BOTTOM}"/>')
        return place

    def legend(self, i, label, colour, dashed=False, box=False):
        y = TOP + 12 + 24 * i
        if box:
            self.out.append(f'<rect x="{RIGHT + 18}" y="{y - 11}" width="14" height="14" rx="2" fill="{colour}"/>')
        else:
            dash = ' stroke-dasharray="5 4"' if dashed else ""
            self.out.append(f'<line x1="{RIGHT + 14}" x2="{RIGHT + 36}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" '
                            f'stroke-width="2.5"{dash}/>')
        self.text(RIGHT + 42, y, label, "quiet")

    def draw_bars(self):
        totals = [sum(values[i] for _, values in self.bars_) for i in range(len(self.categories_))]
        place = self.scale_y(0, max(totals) * 1.05)
        slot = (RIGHT - LEFT) / len(totals)
        width = min(46.0, slot * 0.7)
        used = [(label, values, COLOURS[i % len(COLOURS)]) for i, (label, values) in enumerate(self.bars_)
                if any(v > 0.002 * t for v, t in zip(values, totals))]
        for i, name in enumerate(self.categories_):
            x, below = LEFT + slot * (i + 0.5), 0.0
            for label, values, colour in used:
                top = place(below + values[i])
                self.out.append(f'<rect x="{x - width / 2:.1f}" y="{top:.2f}" width="{width:.1f}" '
                                f'height="{place(below) - top:.2f}" fill="{colour}">'
                                f"<title>{escape(label)}: {show(values[i])}</title></rect>")
                below += values[i]
            self.text(x, place(totals[i]) - 5, show(round(totals[i], 1)), "quiet", "middle")
            self.text(x, BOTTOM + 18, name, "quiet", "middle")
        # The uppermost first, as in the bars.
        for i, (label, _, colour) in enumerate(reversed(used)):
            self.legend(i, label, colour, box=True)

    def draw_lines(self):
        xs = sorted({x for _, points, _ in self.lines_ for x, _ in points})
        ys = [y for _, points, _ in self.lines_ for _, y in points]
        place = self.scale_y(min(ys), max(ys) * (1 if self.log_y else 1.05))
        scale = math.log2 if self.log_x else float
        low, high = scale(xs[0]), scale(xs[-1])

        def across(x):
            return LEFT + 12 + (RIGHT - LEFT - 24) * (scale(x) - low) / (high - low)

        for x in xs:
            self.text(across(x), BOTTOM + 18, show(x), "quiet", "middle")
        for i, (label, points, dashed) in enumerate(self.lines_):
            colour = COLOURS[(i * 4) % len(COLOURS)] if not dashed else ["#57606a", "#9a6700", "#24603b"][i % 3]
            path = " ".join(f"{across(x):.1f},{place(y):.2f}" for x, y in points)
            dash = ' stroke-dasharray="5 4"' if dashed else ""
            self.out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"{dash}/>')
            for x, y in [] if dashed else points:
                self.out.append(f'<circle cx="{across(x):.1f}" cy="{place(y):.2f}" r="3.5" fill="{colour}">'
                                f"<title>{escape(label)}: {show(x)}, {show(y)}</title></circle>")
            self.legend(i, label, colour, dashed)


def page(title, pictures):
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
            "<style>body{font-family:Helvetica,Arial,sans-serif;margin:24px auto;max-width:900px}"
            "svg{max-width:100%;height:auto;margin:8px 0}"
            "@media (prefers-color-scheme: dark){body{background:#010409;color:#e6edf3}}</style></head>\n"
            f"<body><h1>{escape(title)}</h1>\n" + "\n".join(pictures) + "</body></html>\n")
