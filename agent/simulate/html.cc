// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include <spdlog/fmt/fmt.h>

#include "agent/page.h"
#include "agent/simulate/report.h"

namespace eviction::agent::simulate {

namespace {

constexpr double kWidth = 900;
constexpr double kHeight = 220;
constexpr double kLeft = 70;
constexpr double kBottom = 30;
constexpr double kMibPerGib = 1024;
constexpr double kSecondsPerHour = 3600;

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>eviction-agent simulate</title>
<style>
body{font:14px/1.4 sans-serif;margin:2em auto;max-width:960px;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}
th,td{padding:2px 8px;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child{text-align:left}
tr.ours{font-weight:bold}
svg{display:block;margin:.5em 0}
.axis{stroke:#888}
.available{fill:none;stroke:#1f5fa8;stroke-width:1.2}
.kernel{fill:none;stroke:#999;stroke-width:1}
.threshold{fill:none;stroke:#d08000;stroke-dasharray:4 3}
.oom{fill:#c00000}.eviction{fill:#007a3d}.needless{fill:#d08000}.restart{fill:#6a3fb5}
text{font-size:11px;fill:#444}
</style></head><body>
<h1>Simulated memory eviction</h1>
)";

/// Fit for the page, whatever a trace put into a name.
std::string escape(std::string_view text) {
  std::string safe;
  for (const char c : printable(text)) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string open_svg(const std::string& label) {
  return fmt::format(
      "<svg role=\"img\" aria-label=\"{0}\" width=\"{1}\" height=\"{2}\" viewBox=\"0 0 {1} {2}\">\n"
      "<line class=\"axis\" x1=\"{3}\" y1=\"{4}\" x2=\"{1}\" y2=\"{4}\"/>"
      "<line class=\"axis\" x1=\"{3}\" y1=\"5\" x2=\"{3}\" y2=\"{4}\"/>\n",
      escape(label),
      kWidth,
      kHeight,
      kLeft,
      kHeight - kBottom);
}

/// Maps values to a plot's pixels.
struct Axes {
  double x_most;
  double y_most;

  [[nodiscard]] double x(double value) const {
    return kLeft + (kWidth - kLeft - 10) * value / x_most;
  }

  [[nodiscard]] double y(double value) const {
    const double inside = std::clamp(value / y_most, 0.0, 1.0);
    return kHeight - kBottom - (kHeight - kBottom - 10) * inside;
  }
};

std::string label(double x, double y, std::string_view text, std::string_view anchor) {
  return fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, escape(text));
}

std::string polyline(const Outcome& outcome,
                     const Axes& axes,
                     double Sample::*value,
                     std::string_view style) {
  std::string text = fmt::format("<polyline class=\"{}\" points=\"", style);
  for (const Sample& sample : outcome.samples) {
    text += fmt::format("{:.1f},{:.1f} ", axes.x(sample.at), axes.y(sample.*value / kMibPerGib));
  }
  return text + "\"/>\n";
}

std::string_view style_of(const Event& event) {
  if (event.what == "OOM kill") {
    return "oom";
  }
  if (event.what == "restart") {
    return "restart";
  }
  return event.what == "eviction" ? "eviction" : "needless";
}

/// Available memory, threshold and events of one outcome over time.
std::string timeline(const Outcome& outcome) {
  double most = 0;
  for (const Sample& sample : outcome.samples) {
    most = std::max({most, sample.available, sample.threshold});
  }
  const Axes axes{std::max(outcome.hours * kSecondsPerHour, 1.0), std::max(most / kMibPerGib, 0.1)};
  std::string text = fmt::format("<h3>{}</h3>\n", escape(outcome.policy)) +
                     open_svg("available memory over time, " + outcome.policy);
  text += polyline(outcome, axes, &Sample::mem_available, "kernel");
  text += polyline(outcome, axes, &Sample::available, "available");
  text += polyline(outcome, axes, &Sample::threshold, "threshold");
  for (const Event& event : outcome.events) {
    text += fmt::format(
        "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{}\" r=\"3\"><title>{}</title></circle>\n",
        style_of(event),
        axes.x(event.at),
        kHeight - kBottom + 8,
        escape(fmt::format("{:.2f} h: {} {}", event.at / kSecondsPerHour, event.what, event.pod)));
  }
  text += label(kLeft - 4, 14, fmt::format("{:.3g} GiB", axes.y_most), "end");
  text += label(kLeft - 4, kHeight - kBottom, "0", "end");
  text += label(kWidth - 10, kHeight - 4, fmt::format("{:.3g} h", outcome.hours), "end");
  text += "</svg>\n";
  if (outcome.events_left_out > 0) {
    text += fmt::format("<p>{} later events are not drawn.</p>\n", outcome.events_left_out);
  }
  return text;
}

/// Every policy as a point: harm against memory withheld, both on a scale of logarithms.
std::string trade_off(const std::vector<Total>& all) {
  const auto scaled = [](double value) { return std::log10(1 + value); };
  Axes axes{0.1, 0.1};
  for (const Total& total : all) {
    axes.x_most = std::max(axes.x_most, 1.15 * scaled(total.withheld_gib_hours));
    axes.y_most = std::max(axes.y_most, 1.05 * scaled(total.harm));
  }
  std::string text =
      "<h2>Harm against memory withheld</h2>\n" + open_svg("harm against memory withheld");
  for (const Total& total : all) {
    const double x = axes.x(scaled(total.withheld_gib_hours));
    const double y = axes.y(scaled(total.harm));
    text += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"/>\n",
                        total.policy == "ours" ? "eviction" : "needless",
                        x,
                        y);
    text += label(x + 8, y + 4, fmt::format("{} ({:g})", total.policy, total.harm), "start");
  }
  text += label(kLeft - 4, 14, "harm", "end");
  text += label(kWidth - 10, kHeight - 4, "GiB-hours withheld (log)", "end");
  return text + "</svg>\n";
}

std::string table(const std::vector<Total>& all) {
  std::string text =
      "<h2>Policies</h2>\n<table><tr><th>policy</th><th>harm</th><th>GiB-hours withheld</th>"
      "<th>OOM kills</th><th>VM power cuts</th><th>evictions</th><th>needless</th>"
      "<th>needless spells</th><th>restarts</th></tr>\n";
  for (const Total& total : all) {
    text += fmt::format(
        "<tr{}><td>{}</td><td>{:g}</td><td>{:.1f}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td><td>{}</td></tr>\n",
        total.policy == "ours" ? " class=\"ours\"" : "",
        escape(total.policy),
        total.harm,
        total.withheld_gib_hours,
        total.oom_kills,
        total.vm_power_cuts,
        total.evictions,
        total.needless_evictions,
        total.needless_spells,
        total.restarts);
  }
  return text + "</table>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  const std::vector<Total> all = totals(report);
  std::string text = std::string{kHead} + table(all) + trade_off(all);
  if (!report.outcomes.empty()) {
    const std::string& first = report.outcomes.front().scenario;
    text += fmt::format(
        "<h2>Over time: {}</h2>\n<p>Blue: the kubelet's memory.available, its lowest in each "
        "interval. Grey: the kernel's MemAvailable. Dashed: the threshold. Dots: OOM kills (red), "
        "evictions (green), needless ones (amber), restarts of the kubelet (violet).</p>\n",
        escape(first));
    for (const Outcome& outcome : report.outcomes) {
      if (outcome.scenario == first) {
        text += timeline(outcome);
      }
    }
  }
  return text + "</body></html>\n";
}

}  // namespace eviction::agent::simulate
