// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "agent/metrics/parts.h"

namespace eviction::agent::metrics {

void add_forecast(Families& families, const Status& status) {
  const Forecast& forecast = status.forecast;
  families.gauge("threshold_reached_probability_ratio",
                 "Probability that available memory falls to the kubelet's threshold within the "
                 "horizon; none until that was better on this node than a constant chance.");
  for (const HorizonForecast& horizon : forecast.horizons) {
    families.add(horizon.probability, {{"horizon", to_horizon(horizon.horizon)}});
  }
  families.gauge("threshold_reached_brier_score",
                 "Mean of (probability - outcome)^2 of what was predicted on this node; 0 is "
                 "perfect.");
  for (const HorizonForecast& horizon : forecast.horizons) {
    families.add(horizon.brier, {{"horizon", to_horizon(horizon.horizon)}});
  }
  families.gauge("threshold_reached_base_rate_brier_score",
                 "What a constant chance, the share of outcomes, would have had.");
  for (const HorizonForecast& horizon : forecast.horizons) {
    families.add(horizon.base_rate_brier, {{"horizon", to_horizon(horizon.horizon)}});
  }
  families.gauge("threshold_reached_seconds",
                 "When the threshold is reached with probability 1/2 and 1/10; none where that is "
                 "later than 15 min or not known.");
  const auto add = [&families](const std::optional<std::chrono::seconds>& time,
                               const char* probability) {
    if (time) {
      families.add(std::chrono::duration<double>{*time}.count(), {{"probability", probability}});
    }
  };
  add(forecast.median, "0.5");
  add(forecast.worst_decile, "0.1");
  families.gauge("early_warning",
                 "1 while the threshold is likely to be reached within 5 min, headroom is low and "
                 "pressure rises, else 0.");
  families.add(status.warning);
}

}  // namespace eviction::agent::metrics
