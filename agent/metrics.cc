// SPDX-License-Identifier: Apache-2.0
#include "agent/metrics.h"

#include <sstream>
#include <utility>

#include <prometheus/text_serializer.h>

#include "agent/metrics/families.h"
#include "agent/metrics/parts.h"

namespace eviction::agent {

std::string render_metrics(const Plan& plan, const Status& status, int top_pods) {
  metrics::Families families;
  metrics::add_node(families, plan);
  metrics::add_value(families, plan);
  metrics::add_workloads(families, plan, status.at);
  metrics::add_pods(families, plan, top_pods);
  metrics::add_forecast(families, status);
  metrics::add_incidents(families, status);
  metrics::add_agent(families, plan, status);
  std::ostringstream text;
  prometheus::TextSerializer{}.Serialize(text, std::move(families).take());
  return std::move(text).str();
}

}  // namespace eviction::agent
