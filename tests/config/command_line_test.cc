// SPDX-License-Identifier: Apache-2.0
#include "config/command_line.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/command_table.h"

namespace eviction::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using Arguments = std::vector<std::string>;

CommandLine parsed(const Arguments& arguments) {
  const Result<CommandLine> line = parse_command_line(arguments);
  EXPECT_TRUE(line) << to_text(line.error());
  return line.value_or(CommandLine{});
}

std::string usage_error_of(const Arguments& arguments) {
  const Result<CommandLine> line = parse_command_line(arguments);
  if (line) {
    return "no error";
  }
  EXPECT_EQ(line.error().kind, ErrorKind::kMalformed);
  EXPECT_THAT(line.error().path, IsEmpty());
  EXPECT_FALSE(line.error().remedy.empty());
  return to_text(line.error());
}

/// What validate hands on of these arguments.
Arguments handed_on(const Arguments& flags) {
  Arguments arguments{"validate", "--kubelet-version=1.32", "--capacity=1Gi"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  return parsed(arguments).kubelet_arguments;
}

TEST(CommandLine, DefaultsOfAPlan) {
  const CommandLine line = parsed({"plan"});
  EXPECT_EQ(line.command, Command::kPlan);
  EXPECT_EQ(line.output, OutputFormat::kTable);
  EXPECT_EQ(line.log_level, LogLevel::kWarning);
  EXPECT_EQ(line.config, std::nullopt);
  EXPECT_EQ(line.rootfs, "/");
  EXPECT_EQ(line.procfs, std::nullopt);
  EXPECT_EQ(line.sysfs, std::nullopt);
}

TEST(CommandLine, TakesATextFileForRunOnly) {
  EXPECT_EQ(parsed({"run"}).textfile, std::nullopt);
  EXPECT_EQ(parsed({"incidents"}).since.has_value(), false);
  EXPECT_EQ(parsed({"incidents", "--since", "2h", "-o", "json"}).since->ago, std::chrono::hours{2});
  EXPECT_THAT(usage_error_of({"incidents", "--since=soon"}), HasSubstr("allowed: such as 30m"));
  EXPECT_THAT(usage_error_of({"status", "--since=2h"}), HasSubstr("an option of incidents"));
  EXPECT_EQ(parsed({"run", "--textfile", "/t/e.prom"}).textfile, "/t/e.prom");
  EXPECT_THAT(usage_error_of({"run", "--textfile=/t/e.txt"}), HasSubstr("does not end in .prom"));
  EXPECT_THAT(usage_error_of({"plan", "--textfile=/t/e.prom"}), HasSubstr("--textfile"));
}

TEST(CommandLine, TakesWhatASimulationIsOf) {
  const SimulateOptions asked = parsed({"simulate",
                                        "--html=/p",
                                        "--mix=vms",
                                        "--weather=calm",
                                        "--policy=ours",
                                        "--weights=1,2,3,4,5",
                                        "--hours=24",
                                        "--seed=7"})
                                    .simulate;
  EXPECT_EQ(asked.html, "/p");
  EXPECT_EQ(asked.mix, "vms");
  EXPECT_EQ(asked.weather, "calm");
  EXPECT_EQ(asked.policies, "ours");
  EXPECT_EQ(asked.weights, "1,2,3,4,5");
  EXPECT_EQ(asked.hours, 24);
  EXPECT_EQ(asked.seed, 7);
  EXPECT_EQ(parsed({"simulate", "--recording=/r"}).simulate.recording, "/r");
  EXPECT_EQ(parsed({"simulate", "--trace=-"}).simulate.trace, "-");
  EXPECT_TRUE(parsed({"simulate", "--suite"}).simulate.suite);
  EXPECT_FALSE(parsed({"simulate"}).simulate.recording);
}

TEST(CommandLine, TakesEveryCommonOption) {
  for (const char* command : {"plan", "check"}) {
    SCOPED_TRACE(command);
    const CommandLine line = parsed({command,
                                     "--config=/etc/a.ini",
                                     "--path.rootfs",
                                     "/host",
                                     "--path.procfs=/host/proc",
                                     "--path.sysfs",
                                     "/host/sys",
                                     "-o",
                                     "json",
                                     "--log-level=debug"});
    EXPECT_EQ(line.config, "/etc/a.ini");
    EXPECT_EQ(line.rootfs, "/host");
    EXPECT_EQ(line.procfs, "/host/proc");
    EXPECT_EQ(line.sysfs, "/host/sys");
    EXPECT_EQ(line.output, OutputFormat::kJson);
    EXPECT_EQ(line.log_level, LogLevel::kDebug);
  }
}

TEST(CommandLine, TakesTheShortOptionInEachForm) {
  EXPECT_EQ(parsed({"plan", "-oyaml"}).output, OutputFormat::kYaml);
  EXPECT_EQ(parsed({"plan", "-o", "yaml"}).output, OutputFormat::kYaml);
  EXPECT_EQ(parsed({"plan", "--output=yaml"}).output, OutputFormat::kYaml);
  EXPECT_EQ(parsed({"plan", "--output", "yaml"}).output, OutputFormat::kYaml);
}

TEST(CommandLine, HelpAndVersionInEachForm) {
  for (const char* argument : {"version", "-V", "--version"}) {
    EXPECT_EQ(parsed({argument}).command, Command::kVersion) << argument;
  }
  for (const char* argument : {"help", "-h", "--help"}) {
    const CommandLine line = parsed({argument});
    EXPECT_EQ(line.command, Command::kHelp) << argument;
    EXPECT_THAT(line.help, StartsWith("Usage: eviction-agent COMMAND")) << argument;
  }
  for (const Arguments& arguments :
       {Arguments{"help", "plan"}, {"plan", "-h"}, {"plan", "--help"}, {"--help", "plan"}}) {
    const CommandLine line = parsed(arguments);
    EXPECT_EQ(line.command, Command::kHelp);
    EXPECT_THAT(line.help, StartsWith("Usage: eviction-agent plan"));
  }
  EXPECT_THAT(parsed({"validate", "--help"}).help, HasSubstr("--eviction-hard"));
}

TEST(CommandLine, Validate) {
  const CommandLine line =
      parsed({"validate", "--kubelet-version", "v1.32.3+rke2r1", "--capacity", "16Gi"});
  EXPECT_EQ(line.command, Command::kValidate);
  ASSERT_TRUE(line.kubelet_version);
  EXPECT_EQ(to_text(*line.kubelet_version), "v1.32.3+rke2r1");
  EXPECT_EQ(line.capacity, Bytes{std::int64_t{16} << 30});
  EXPECT_THAT(line.kubelet_arguments, IsEmpty());
  EXPECT_EQ(parsed({"validate", "--kubelet-version=1.32", "--capacity=1000"}).capacity,
            Bytes{1000});
}

TEST(CommandLine, ConfigOfValidateIsTheKubelets) {
  const CommandLine line =
      parsed({"validate", "--config", "a.yaml", "--kubelet-version=1.32", "--capacity=1Gi"});
  EXPECT_EQ(line.config, std::nullopt);
  EXPECT_THAT(line.kubelet_arguments, ElementsAre("--config=a.yaml"));
}

TEST(CommandLine, KubeletFlagsKeepTheirOrderInBothForms) {
  EXPECT_THAT(handed_on({"--eviction-hard=memory.available<1Gi",
                         "--config",
                         "/a.yaml",
                         "-o",
                         "json",
                         "--eviction-hard",
                         "memory.available<2Gi,nodefs.available<10%",
                         "--config-dir=/d"}),
              ElementsAre("--eviction-hard=memory.available<1Gi",
                          "--config=/a.yaml",
                          "--eviction-hard=memory.available<2Gi,nodefs.available<10%",
                          "--config-dir=/d"));
}

TEST(CommandLine, ValuesOfKubeletFlagsPassUntouched) {
  const Arguments values{"",
                         "-",
                         "--",
                         "-1",
                         "-o",
                         "-ojson",
                         "-h",
                         "--help",
                         "--output=json",
                         "--config",
                         "=",
                         "a=b=c",
                         " memory.available < 1Gi ",
                         "memory.available<-1",
                         "a,b",
                         "\"quoted\"",
                         "\xFF\n",
                         "@file"};
  for (const std::string& value : values) {
    SCOPED_TRACE(value);
    EXPECT_THAT(handed_on({"--eviction-hard=" + value, "--eviction-soft=x"}),
                ElementsAre("--eviction-hard=" + value, "--eviction-soft=x"));
    EXPECT_THAT(handed_on({"--eviction-hard", value, "--eviction-soft", "x"}),
                ElementsAre("--eviction-hard=" + value, "--eviction-soft=x"));
  }
}

TEST(CommandLine, EveryKubeletFlagIsHandedOn) {
  Arguments flags;
  for (const OptionInfo& option : kOptions) {
    if (option.kubelet_flag) {
      flags.push_back("--" + std::string{option.name} + "=v");
    }
  }
  EXPECT_EQ(handed_on(flags), flags);
  EXPECT_THAT(flags,
              testing::UnorderedElementsAre("--config=v",
                                            "--config-dir=v",
                                            "--eviction-hard=v",
                                            "--eviction-soft=v",
                                            "--eviction-soft-grace-period=v",
                                            "--eviction-minimum-reclaim=v",
                                            "--eviction-max-pod-grace-period=v",
                                            "--kube-reserved=v",
                                            "--system-reserved=v",
                                            "--enforce-node-allocatable=v",
                                            "--memory-manager-policy=v",
                                            "--reserved-memory=v"));
}

struct Refused {
  Arguments arguments;
  const char* error;
};

void expect_refused(const std::vector<Refused>& cases) {
  for (const Refused& test : cases) {
    SCOPED_TRACE(testing::PrintToString(test.arguments));
    EXPECT_THAT(usage_error_of(test.arguments), HasSubstr(test.error));
  }
}

TEST(CommandLine, RefusesWrongCommands) {
  expect_refused({
      {{}, "no command is given; see eviction-agent --help"},
      {{""}, "unknown command \"\"; see eviction-agent --help"},
      {{"pln"}, "unknown command \"pln\"; did you mean plan?"},
      {{"Validate"}, "did you mean validate?"},
      {{"frobnicate"}, "unknown command \"frobnicate\"; see eviction-agent --help"},
      {{"a\nb"}, "unknown command \"a\\x0ab\""},
      {{"--config=/a.ini", "plan"}, "the command comes before \"--config=/a.ini\""},
      {{"help", "pln"}, "did you mean plan?"},
      {{"help", "plan", "check"}, "unexpected argument \"check\""},
      {{"plan", "check"}, "unexpected argument \"check\"; plan takes options only"},
      {{"plan", "-"}, "unexpected argument \"-\""},
      {{"plan", "--", "--help"}, "unexpected argument"},
      {{"version", "x"}, "unexpected argument \"x\""},
      {{"record"}, "record needs a file"},
      {{"record", "a", "b"}, "unexpected argument \"b\"; record takes one file"},
      {{"record", "a", "--interval=0"},
       "--interval: \"0\" is out of range; allowed: whole seconds"},
      {{"record", "a", "--interval=11"}, "out of range"},
      {{"record", "a", "--duration=1h"}, "out of range"},
      {{"record", "a", "--duration=99999999999999999999"}, "out of range"},
      {{"replay", ""}, "unexpected argument \"\""},
  });
}

TEST(CommandLine, RefusesWrongOptions) {
  expect_refused({
      {{"plan", "--ouput=json"}, "unknown option \"--ouput\"; did you mean --output?"},
      {{"plan", "--out=json"}, "unknown option \"--out\"; did you mean --output?"},
      {{"plan", "--frobnicate"}, "unknown option \"--frobnicate\"; see eviction-agent plan --help"},
      {{"plan", "-x"}, "unknown option \"-x\""},
      {{"plan", "-output", "json"}, "unknown"},
      {{"plan", "--o=json"}, "unknown option \"--o\"; did you mean --output?"},
      {{"plan", "-h=x"}, "-h takes no value"},
      {{"plan", "--="}, ""},
      {{"plan", "--=x"}, ""},
      {{"plan", "---"}, "unknown option"},
      {{"plan", "-="}, "unknown option"},
      {{"validate", "--eviction-hrad=x"}, "did you mean --eviction-hard?"},
      {{"plan", "--capacity=16Gi"}, "plan takes no --capacity; it is an option of validate"},
      {{"plan", "--eviction-hard", "x"}, "plan takes no --eviction-hard"},
      {{"version", "--config=x"}, "version takes no --config; it is an option of run"},
      {{"run", "-o", "json"}, "run takes no -o; it is an option of plan"},
      {{"plan", "--dry-run"}, "plan takes no --dry-run; it is an option of apply"},
      {{"apply", "--dry-run=yes"}, "takes no value"},
      {{"apply", "--dry-run", "--dry-run"}, "is given twice"},
      {{"plan", "-V"}, "unknown option \"-V\""},
      {{"plan", "--output"}, "\"--output\" needs a value"},
      {{"plan", "-o"}, "needs a value"},
      {{"validate", "--kubelet-version=1.32", "--eviction-hard"}, "needs a value"},
      {{"plan", "--help=x"}, "\"--help\" takes no value"},
      {{"plan", "--help="}, "\"--help\" takes no value"},
      {{"plan", "-o", "json", "--output=json"}, "--output is given twice"},
      {{"plan", "--config=/a", "--config=/b"}, "--config is given twice"},
      {{"validate", "--capacity=1", "--capacity=1"}, "--capacity is given twice"},
  });
}

// What one of them asks for would be passed over.
TEST(CommandLine, RefusesWhatSimulateCannotDoTogether) {
  expect_refused({
      {{"simulate", "--recording=a", "--trace=b"},
       "--trace excludes --recording; keep one of the two"},
      {{"simulate", "--suite", "--trace=a"}, "--suite excludes --trace"},
      {{"simulate", "--suite", "--recording=a"}, "--suite excludes --recording"},
      {{"simulate", "--capacity=1Gi", "--suite"}, "--suite excludes --capacity"},
      {{"simulate", "--suite", "--mix=vms"}, "--suite excludes --mix"},
      {{"simulate", "--suite", "--weather=calm"}, "--suite excludes --weather"},
      {{"simulate", "--hours=168", "--trace=a"}, "--trace excludes --hours"},
      {{"simulate", "--trace=a", "--mix=mixed"}, "--trace excludes --mix"},
      {{"simulate", "--trace=a", "--weather=calm"}, "--trace excludes --weather"},
      {{"simulate", "--recording=a", "--hours=1"}, "--recording excludes --hours"},
      {{"simulate", "--recording=a", "--mix=vms"}, "--recording excludes --mix"},
      {{"simulate", "--recording=a", "--weather=calm"}, "--recording excludes --weather"},
  });
  EXPECT_TRUE(parsed({"simulate", "--suite", "--hours=1", "--seed=2"}).simulate.suite);
  EXPECT_TRUE(parsed({"simulate", "--trace=a", "--capacity=1Gi"}).capacity);
}

// The moments as they were seen, whatever was decided.
TEST(CommandLine, RefusesWhatReplayDoesNotUseForCsv) {
  expect_refused({
      {{"replay", "--csv", "-o", "json"}, "--csv excludes --output"},
      {{"replay", "--config=/a", "--csv"}, "--csv excludes --config"},
  });
  EXPECT_TRUE(parsed({"replay", "--csv", "--path.rootfs=/host"}).csv);
}

TEST(CommandLine, RefusesWhereProcIsForWhatReadsFilesOnly) {
  for (const char* command : {"status", "incidents", "validate", "replay", "simulate"}) {
    expect_refused({{{command, "--path.procfs=/proc"}, "takes no --path.procfs"},
                    {{command, "--path.sysfs=/sys"}, "takes no --path.sysfs"}});
  }
  for (const char* command : {"run", "plan", "check", "apply", "rollback"}) {
    EXPECT_EQ(parsed({command, "--path.procfs=/p", "--path.sysfs=/s"}).sysfs, "/s");
  }
  EXPECT_EQ(parsed({"record", "f", "--path.procfs=/p"}).procfs, "/p");
}

TEST(CommandLine, RefusesWrongValues) {
  expect_refused({
      {{"plan", "-o", "xml"}, "--output: unknown \"xml\"; allowed: table|json|yaml"},
      {{"plan", "-o", "JSON"}, "--output: unknown \"JSON\""},
      {{"plan", "--output="}, "--output: unknown \"\""},
      {{"plan", "--log-level", "trace"}, "unknown \"trace\"; allowed: debug|info|warning|error"},
      {{"plan", "--config="}, "--config is empty"},
      {{"plan", "--path.rootfs="}, "--path.rootfs is empty"},
      {{"check", "--path.procfs", ""}, "--path.procfs is empty"},
      {{"check", "--path.sysfs="}, "--path.sysfs is empty"},
      {{"validate"}, "validate needs --kubelet-version"},
      {{"validate", "--kubelet-version", "1.32.3"}, "validate needs --capacity"},
      {{"validate", "--kubelet-version="},
       "--kubelet-version: \"\" is no version; allowed: such as"},
      {{"validate", "--kubelet-version=new"}, "\"new\" is no version"},
      {{"validate", "--kubelet-version=1.32", "--capacity=much"},
       "--capacity: \"much\" is no amount of memory; allowed: bytes above 0, or a quantity"},
      {{"validate", "--kubelet-version=1.32", "--capacity=0"}, "\"0\" is no amount"},
      {{"validate", "--kubelet-version=1.32", "--capacity", "-1"}, "\"-1\" is no amount"},
      {{"validate", "--kubelet-version=1.32", "--capacity="}, "\"\" is no amount"},
      {{"validate", "--kubelet-version=1.32", "--capacity=5%"}, "\"5%\" is no amount"},
      {{"simulate", "--policy="}, "--policy is empty; leave it out, or give a value"},
      {{"simulate", "--weights", ""}, "--weights is empty"},
      {{"simulate", "--trace="}, "--trace is empty"},
      {{"simulate", "--recording="}, "--recording is empty"},
      {{"simulate", "--html="}, "--html is empty"},
      {{"simulate", "--capacity=99999999999999999999"},
       "--capacity: \"99999999999999999999\" is more than 1 PiB; allowed: 1Gi to 1Pi"},
      {{"simulate", "--capacity=1025Ti"}, "\"1025Ti\" is more than 1 PiB"},
      {{"simulate", "--capacity=1e400"}, "\"1e400\" is more than 1 PiB"},
  });
  EXPECT_EQ(parsed({"simulate", "--capacity=1Pi"}).capacity, Bytes{std::int64_t{1} << 50});
  EXPECT_EQ(
      parsed({"validate", "--kubelet-version=1.32", "--capacity=99999999999999999999"}).capacity,
      Bytes{7'766'279'631'452'241'919})
      << "as the kubelet has it";
}

RC_GTEST_PROP(CommandLineProperty, AnyValueOfAKubeletFlagIsHandedOn, ()) {
  const auto value = *rc::gen::arbitrary<std::string>();
  const bool joined = *rc::gen::arbitrary<bool>();
  const Arguments flags =
      joined ? Arguments{"--eviction-hard=" + value} : Arguments{"--eviction-hard", value};
  RC_ASSERT(handed_on(flags) == Arguments{"--eviction-hard=" + value});
}

RC_GTEST_PROP(CommandLineProperty, AnErrorIsOneLine, ()) {
  auto arguments = *rc::gen::container<Arguments>(rc::gen::oneOf(
      rc::gen::arbitrary<std::string>(),
      rc::gen::map(rc::gen::arbitrary<std::string>(),
                   [](const std::string& text) { return "--" + text; }),
      rc::gen::element<std::string>("plan", "validate", "help", "--output", "-o", "--help", "--")));
  arguments.insert(arguments.begin(),
                   *rc::gen::element<std::string>("plan", "validate", "version"));
  const Result<CommandLine> line = parse_command_line(arguments);
  const std::string text = line ? "" : to_text(line.error());
  RC_ASSERT(text.find('\n') == std::string::npos);
}

}  // namespace
}  // namespace eviction::config
