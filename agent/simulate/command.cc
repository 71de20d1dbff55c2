// SPDX-License-Identifier: Apache-2.0
#include "agent/simulate/command.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "agent/recording/command.h"
#include "agent/simulate/policies.h"
#include "agent/simulate/recorded.h"
#include "agent/simulate/scenario.h"
#include "config/wording.h"

namespace eviction::agent::simulate {

namespace {

constexpr double kMib = 1 << 20;
constexpr double kDefaultCapacity = 128 * 1024;
constexpr double kLeastCapacity = 1024;
constexpr double kSecondsPerHour = 3600;
/// Beside a larger one the others would have no digits left.
constexpr double kMostWeight = 1e6;

tl::unexpected<Error> wrong(std::string what, std::string remedy) {
  return tl::unexpected{Error{ErrorKind::kMalformed, {}, 0, std::move(what), std::move(remedy)}};
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    parts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Result<std::vector<std::string>> policies_of(const std::string& list) {
  std::vector<std::string> all = fixed_policies();
  all.emplace_back(kOurs);
  if (list.empty()) {
    return all;
  }
  std::vector<std::string> chosen = split(list);
  for (const std::string& name : chosen) {
    if (std::ranges::find(all, name) == all.end()) {
      return wrong("--policy: there is no " + config::in_quotes(name),
                   fmt::format("allowed: {}", fmt::join(all, ", ")));
    }
    if (std::ranges::count(chosen, name) > 1) {
      return wrong("--policy: " + config::in_quotes(name) + " is there twice", "name it once");
    }
  }
  return chosen;
}

Result<HarmWeights> weights_of(const std::string& list) {
  HarmWeights weights;
  if (list.empty()) {
    return weights;
  }
  const std::vector<std::string> parts = split(list);
  bool good = parts.size() == kHarmWeights.size();
  for (std::size_t i = 0; good && i < parts.size(); ++i) {
    double& weight = weights.*kHarmWeights.at(i);
    const char* const end = parts[i].data() + parts[i].size();
    const auto [read, error] = std::from_chars(parts[i].data(), end, weight);
    good = error == std::errc{} && read == end && weight >= 0 && weight <= kMostWeight;
  }
  if (!good) {
    return wrong(
        "--weights: " + config::in_quotes(list) + " is no list of five numbers from 0 to 1000000",
        "allowed: such as 10,3,1,1,1");
  }
  return weights;
}

template <class Value, std::size_t size>
Result<Value> named(const char* option,
                    const std::string& name,
                    const std::array<Value, size>& values) {
  std::vector<std::string_view> names;
  for (const Value value : values) {
    if (to_text(value) == name) {
      return value;
    }
    names.push_back(to_text(value));
  }
  return wrong(std::string{option} + ": unknown " + config::in_quotes(name),
               fmt::format("allowed: {}", fmt::join(names, ", ")));
}

Result<std::string> read_trace(const std::string& path) {
  if (path == "-") {
    return std::string{std::istreambuf_iterator<char>{std::cin}, {}};
  }
  std::ifstream file{path, std::ios::binary};
  if (!file) {
    return tl::unexpected{
        Error{ErrorKind::kAbsent, path, 0, std::generic_category().message(errno)}};
  }
  try {
    return std::string{std::istreambuf_iterator<char>{file}, {}};
  } catch (const std::ios_base::failure& failure) {
    return tl::unexpected{
        Error{ErrorKind::kIo, path, 0, failure.code().message(), "name a file of CSV"}};
  }
}

double capacity_of(const config::CommandLine& line, double otherwise) {
  return line.capacity ? static_cast<double>(line.capacity->value()) / kMib : otherwise;
}

struct Asked {
  std::vector<Scenario> scenarios;
  std::optional<Error> problem;  ///< why reading them ended before the end
};

Result<Asked> recorded(const std::string& file, double capacity, std::uint64_t seed) {
  RecordedNode node;
  Result<std::optional<Error>> read =
      read_moments(file, [&node](const Moment& moment) { node.take(moment); });
  if (!read) {
    return tl::unexpected{read.error()};
  }
  Result<Scenario> scenario = node.scenario(capacity, seed);
  if (!scenario) {
    Error error = *read ? **read : scenario.error();
    error.path = file;
    return tl::unexpected{std::move(error)};
  }
  Asked asked{.scenarios = {}, .problem = std::move(*read)};
  if (std::optional<Error> cut = node.problem()) {
    cut->path = file;
    asked.problem = std::move(cut);
  }
  asked.scenarios.push_back(std::move(*scenario));
  return asked;
}

/// What the options ask for.
Result<Asked> scenarios_of(const config::CommandLine& line) {
  const config::SimulateOptions& options = line.simulate;
  const auto seed = static_cast<std::uint64_t>(options.seed);
  const double seconds = options.hours * kSecondsPerHour;
  const Result<Mix> mix = named("--mix", options.mix, kMixes);
  const Result<Weather> weather = named("--weather", options.weather, kWeathers);
  if (!mix || !weather) {
    return tl::unexpected{mix ? weather.error() : mix.error()};
  }
  if (options.recording) {
    return recorded(*options.recording, capacity_of(line, 0), seed);
  }
  Asked asked;
  std::vector<Scenario>& scenarios = asked.scenarios;
  if (options.trace) {
    const Result<std::string> text = read_trace(*options.trace);
    if (!text) {
      return tl::unexpected{text.error()};
    }
    Result<Scenario> scenario = from_trace(*text, "trace", capacity_of(line, 0), seed);
    if (!scenario) {
      Error error = scenario.error();
      error.path = *options.trace;
      return tl::unexpected{std::move(error)};
    }
    scenarios.push_back(std::move(*scenario));
    return asked;
  }
  if (options.suite) {
    std::ranges::transform(suite(seed, seconds), std::back_inserter(scenarios), generate);
    return asked;
  }
  scenarios.push_back(
      generate({capacity_of(line, kDefaultCapacity), *mix, *weather, seconds, seed}));
  return asked;
}

}  // namespace

Result<Report> simulate(const config::CommandLine& line,
                        const config::AgentConfig& config,
                        const std::function<void(const std::string&)>& progress) {
  const Result<std::vector<std::string>> policies = policies_of(line.simulate.policies);
  const Result<HarmWeights> weights = weights_of(line.simulate.weights);
  if (!policies || !weights) {
    return tl::unexpected{policies ? weights.error() : policies.error()};
  }
  if (capacity_of(line, kDefaultCapacity) < kLeastCapacity) {
    return wrong("--capacity: a node has 1 GiB at least", "allowed: 1Gi to 1Pi");
  }
  const Result<Asked> asked = scenarios_of(line);
  if (!asked) {
    return tl::unexpected{asked.error()};
  }
  Report report{.outcomes = {}, .weights = *weights, .problem = asked->problem};
  const std::size_t runs = asked->scenarios.size() * policies->size();
  for (const Scenario& scenario : asked->scenarios) {
    for (const std::string& policy : *policies) {
      const auto done = [&](double share) {
        progress(fmt::format("run {} of {}, {} under {}: {:.0f} %",
                             report.outcomes.size() + 1,
                             runs,
                             scenario.name,
                             policy,
                             share * 100));
      };
      report.outcomes.push_back(run(scenario, policy, config, progress ? Done{done} : Done{}));
    }
  }
  return report;
}

}  // namespace eviction::agent::simulate
