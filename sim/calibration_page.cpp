// The page of a calibration: a table, and curves as drawings of lines and dots. It needs nothing from
// outside.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/calibration.h"

namespace svasim {
namespace {

constexpr double kWidth = 560;
constexpr double kHeight = 320;
constexpr double kLeft = 64;
constexpr double kRight = 16;
constexpr double kTop = 34;
constexpr double kBottom = 46;

const char* const kStyle =
    "body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1180px;padding:0 1em;color:#1c2430}"
    "table{border-collapse:collapse;margin:1em 0;width:100%}td,th{padding:3px 9px;border-bottom:1px solid "
    "#dde3ea;text-align:left}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}tr.no{background:"
    "#fdeaea}.yes{color:#1b7f3b}.no "
    "b{color:#b3261e}.curves{display:flex;flex-wrap:wrap;gap:16px}svg{border:1px "
    "solid #dde3ea;border-radius:6px;background:#fff}text{font:12px system-ui,sans-serif;fill:#445}.t{font-"
    "weight:600;font-size:13px;fill:#1c2430}";

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// A round step so that there are four to eight of them.
double step_for(double most) {
  const double power = std::pow(10, std::floor(std::log10(most / 4)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (most / (power * factor) <= 8) return power * factor;
  }
  return power * 10;
}

std::string short_number(double value) {
  if (value >= 1048576) return fmt::format("{:g}M", value / 1048576);
  if (value >= 1024) return fmt::format("{:g}K", value / 1024);
  return fmt::format("{:g}", value);
}

std::string draw(const std::string& curve, const std::vector<const Calibration::Outcome*>& points) {
  const std::vector<std::string> words = split(curve, '|');
  double least = 1e300;
  double most = 0;
  double top = 0;
  for (const Calibration::Outcome* outcome : points) {
    least = std::min(least, outcome->point->x);
    most = std::max(most, outcome->point->x);
    top = std::max({top, outcome->value, outcome->point->published, outcome->point->low});
  }
  top *= 1.08;
  const double span = std::max(1e-9, std::log2(most) - std::log2(least));
  const auto x_of = [&](double x) {
    return kLeft + (kWidth - kLeft - kRight) * (std::log2(x) - std::log2(least)) / span;
  };
  const auto y_of = [&](double y) {
    return kHeight - kBottom - (kHeight - kTop - kBottom) * std::clamp(y / top, 0.0, 1.0);
  };
  std::string svg = fmt::format("<svg width='{0}' height='{1}' viewBox='0 0 {0} {1}'>", kWidth, kHeight);
  svg += fmt::format("<text class='t' x='{}' y='20'>{}</text>", kLeft, escaped(words[0]));
  const double step = step_for(top);
  for (double y = 0; y <= top; y += step) {
    svg += fmt::format("<line x1='{}' x2='{}' y1='{:.1f}' y2='{:.1f}' stroke='#e6eaf0'/>", kLeft,
                       kWidth - kRight, y_of(y), y_of(y));
    svg += fmt::format("<text x='{}' y='{:.1f}' text-anchor='end'>{:g}</text>", kLeft - 8, y_of(y) + 4, y);
  }
  std::string line;
  std::string marks;
  for (const Calibration::Outcome* outcome : points) {
    const double x = x_of(outcome->point->x);
    svg += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{}</text>", x, kHeight - kBottom + 17,
                       short_number(outcome->point->x));
    // What is allowed, then what was measured, then what was simulated.
    marks += fmt::format(
        "<line x1='{0:.1f}' x2='{0:.1f}' y1='{1:.1f}' y2='{2:.1f}' stroke='#f2b36b' "
        "stroke-width='7' stroke-linecap='round' opacity='.45'/>",
        x, y_of(outcome->point->low), y_of(outcome->point->high));
    if (outcome->point->published != 0) {
      marks += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='4.5' fill='#d9730d'/>", x,
                           y_of(outcome->point->published));
    }
    marks += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='3' fill='#1f5fbf'/>", x, y_of(outcome->value));
    line += fmt::format("{}{:.1f},{:.1f}", line.empty() ? "" : " ", x, y_of(outcome->value));
  }
  svg += marks + fmt::format("<polyline points='{}' fill='none' stroke='#1f5fbf' stroke-width='1.8'/>", line);
  svg += fmt::format("<text x='{}' y='{}' text-anchor='middle'>{}</text>", (kLeft + kWidth - kRight) / 2,
                     kHeight - 10, escaped(words.size() > 1 ? words[1] : ""));
  svg += fmt::format("<text x='14' y='{0}' text-anchor='middle' transform='rotate(-90 14 {0})'>{1}</text>",
                     (kTop + kHeight - kBottom) / 2, escaped(words.size() > 2 ? words[2] : ""));
  return svg + "</svg>\n";
}

}  // namespace

std::string calibration_page(const CalibrationParams& params,
                             const std::vector<Calibration::Outcome>& outcomes) {
  std::string page = fmt::format(
      "<!doctype html>\n<html lang='en'><head><meta "
      "charset='utf-8'><title>{0}</title><style>{1}</style></head>"
      "<body>\n<h1>{0}</h1>\n",
      escaped(params.title), kStyle);
  const auto missed = std::count_if(outcomes.begin(), outcomes.end(), [](const auto& o) { return !o.ok; });
  page += fmt::format(
      "<p>{} figures, {} out of bounds. Orange dots: published; orange bars: allowed; blue: "
      "simulated.</p>\n<div class='curves'>\n",
      outcomes.size(), missed);
  std::vector<std::string> curves;
  for (const Calibration::Outcome& outcome : outcomes) {
    const std::string& curve = outcome.point->curve;
    if (!curve.empty() && std::find(curves.begin(), curves.end(), curve) == curves.end()) {
      curves.push_back(curve);
    }
  }
  for (const std::string& curve : curves) {
    std::vector<const Calibration::Outcome*> points;
    for (const Calibration::Outcome& outcome : outcomes) {
      if (outcome.point->curve == curve && outcome.point->x > 0) points.push_back(&outcome);
    }
    page += draw(curve, points);
  }
  page +=
      "</div>\n<table><tr><th>target</th><th>figure</th><th class='n'>published</th><th "
      "class='n'>simulated</th><th class='n'>error</th><th class='n'>allowed</th><th>source</th><th>pass</th>"
      "</tr>\n";
  for (const Calibration::Outcome& outcome : outcomes) {
    const CalibrationPoint& p = *outcome.point;
    const auto error = outcome.error();
    page += fmt::format(
        "<tr{}><td>{}</td><td>{}</td><td class='n'>{}</td><td class='n'>{:.4g}</td><td class='n'>{}</td><td "
        "class='n'>{:.4g} to {:.4g} {}</td><td>{}</td><td>{}</td></tr>\n",
        outcome.ok ? "" : " class='no'", escaped(p.target), escaped(p.text),
        p.published == 0 ? "" : fmt::format("{:.4g}", p.published), outcome.value,
        error ? fmt::format("{:+.1f} %", *error * 100) : "", p.low, p.high, escaped(p.unit),
        escaped(p.source), outcome.ok ? "<span class='yes'>yes</span>" : "<b>NO</b>");
  }
  return page + "</table></body></html>\n";
}

}  // namespace svasim
