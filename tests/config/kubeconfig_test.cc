// SPDX-License-Identifier: Apache-2.0
#include "config/kubeconfig.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace eviction::config {
namespace {

constexpr const char* kPath = "/etc/kubernetes/kubelet.conf";

/// As RKE2's agent writes it.
constexpr const char* kRke2 = R"(apiVersion: v1
clusters:
- cluster:
    server: https://127.0.0.1:6443
    certificate-authority: /var/lib/rancher/rke2/agent/server-ca.crt
  name: local
contexts:
- context:
    cluster: local
    namespace: default
    user: user
  name: Default
current-context: Default
kind: Config
preferences: {}
users:
- name: user
  user:
    client-certificate: /var/lib/rancher/rke2/agent/client-kubelet.crt
    client-key: /var/lib/rancher/rke2/agent/client-kubelet.key
)";

/// A kubeconfig of one cluster and one user, each in YAML's flow style.
std::string with(const std::string& cluster, const std::string& user) {
  return "current-context: c\ncontexts:\n- {name: c, context: {cluster: k, user: u}}\nclusters:\n"
         "- {name: k, cluster: {" +
         cluster + "}}\nusers:\n- {name: u, user: {" + user + "}}\n";
}

const std::string kCluster = "server: https://h:6443, certificate-authority: ca";
const std::string kUser = "token: t";

Error error_of(const std::string& text) {
  const Result<Kubeconfig> kubeconfig = parse_kubeconfig(text, kPath);
  return kubeconfig ? Error{.kind = ErrorKind::kIo, .path = {}, .what = "accepted"}
                    : kubeconfig.error();
}

TEST(Kubeconfig, OfRke2) {
  const Result<Kubeconfig> kubeconfig = parse_kubeconfig(kRke2, kPath);
  ASSERT_TRUE(kubeconfig) << to_text(kubeconfig.error());
  EXPECT_EQ(kubeconfig->server, "https://127.0.0.1:6443");
  EXPECT_EQ(kubeconfig->authority.file, "/var/lib/rancher/rke2/agent/server-ca.crt");
  EXPECT_EQ(kubeconfig->authority.text, "");
  EXPECT_EQ(kubeconfig->certificate.file, "/var/lib/rancher/rke2/agent/client-kubelet.crt");
  EXPECT_EQ(kubeconfig->key.file, "/var/lib/rancher/rke2/agent/client-kubelet.key");
  EXPECT_EQ(kubeconfig->token, "");
}

TEST(Kubeconfig, MayBeJson) {
  const Result<Kubeconfig> kubeconfig = parse_kubeconfig(
      R"({"current-context":"c","contexts":[{"name":"c","context":{"cluster":"k","user":"u"}}],
          "clusters":[{"name":"k","cluster":{"server":"https://h","certificate-authority":"/ca"}}],
          "users":[{"name":"u","user":{"token":"t"}}]})",
      kPath);
  ASSERT_TRUE(kubeconfig) << to_text(kubeconfig.error());
  EXPECT_EQ(kubeconfig->token, "t");
}

TEST(Kubeconfig, CurrentContextDecides) {
  const Result<Kubeconfig> kubeconfig = parse_kubeconfig(R"(
current-context: two
contexts:
- {name: one, context: {cluster: a, user: a}}
- {name: two, context: {cluster: b, user: b}}
clusters:
- {name: a, cluster: {server: "https://a", certificate-authority: /a}}
- {name: b, cluster: {server: "https://b", certificate-authority: /b}}
users:
- {name: a, user: {token: a}}
- {name: b, user: {token: b}}
)",
                                                         kPath);
  ASSERT_TRUE(kubeconfig) << to_text(kubeconfig.error());
  EXPECT_EQ(kubeconfig->server, "https://b");
  EXPECT_EQ(kubeconfig->authority.file, "/b");
  EXPECT_EQ(kubeconfig->token, "b");
}

TEST(Kubeconfig, RelativeNamesStartFromItsFolder) {
  const Result<Kubeconfig> kubeconfig =
      parse_kubeconfig(with("server: https://h, certificate-authority: pki/ca.crt",
                            "client-certificate: ../c.pem, client-key: /k.pem, tokenFile: token"),
                       kPath);
  ASSERT_TRUE(kubeconfig) << to_text(kubeconfig.error());
  EXPECT_EQ(kubeconfig->authority.file, "/etc/kubernetes/pki/ca.crt");
  EXPECT_EQ(kubeconfig->certificate.file, "/etc/kubernetes/../c.pem");
  EXPECT_EQ(kubeconfig->key.file, "/k.pem");
  EXPECT_EQ(kubeconfig->token_file, "/etc/kubernetes/token");
}

TEST(Kubeconfig, SlashAtTheEndOfTheServerIsDropped) {
  const auto kubeconfig = parse_kubeconfig(
      with("server: 'https://[fd00::1]:6443/k8s/', certificate-authority: ca", kUser), kPath);
  ASSERT_TRUE(kubeconfig) << to_text(kubeconfig.error());
  EXPECT_EQ(kubeconfig->server, "https://[fd00::1]:6443/k8s");
}

// base64 from coreutils' base64: of "-----BEGIN X", "-----BEGIN Xy" and "-----BEGIN Xyz".
TEST(Kubeconfig, DataGoesBeforeFilesWhateverItsPadding) {
  struct Case {
    const char* data;
    const char* pem;
  };

  for (const Case& test : {Case{"LS0tLS1CRUdJTiBY", "-----BEGIN X"},
                           Case{"LS0tLS1CRUdJTiBYeQ==", "-----BEGIN Xy"},
                           Case{"LS0tLS1CRUdJTiBYeXo=", "-----BEGIN Xyz"},
                           Case{"LS0tLS1C\\nRUdJTiBY\\r\\n", "-----BEGIN X"}}) {
    SCOPED_TRACE(test.data);
    const Result<Kubeconfig> kubeconfig = parse_kubeconfig(
        with(kCluster + ", certificate-authority-data: \"" + test.data + '"', kUser), kPath);
    ASSERT_TRUE(kubeconfig) << to_text(kubeconfig.error());
    EXPECT_EQ(kubeconfig->authority.text, test.pem);
    EXPECT_EQ(kubeconfig->authority.file, "");
  }
}

TEST(Kubeconfig, UnusedAndEmptyKeysDoNotMatter) {
  const auto kubeconfig = parse_kubeconfig(
      with(kCluster + ", proxy-url: '', tls-server-name: null, insecure-skip-tls-verify: false",
           kUser + ", exec: null, auth-provider: ~, something-new: {a: [1, 2]}"),
      kPath);
  EXPECT_TRUE(kubeconfig) << to_text(kubeconfig.error());
}

struct Hostile {
  const char* name;
  std::string text;
  ErrorKind kind;
  const char* what;  ///< a part of the message
};

const std::vector<Hostile> kHostile = {
    {"Empty", "", ErrorKind::kMalformed, "no context"},
    {"Scalar", "hello", ErrorKind::kMalformed, ""},
    {"List", "[1, 2]", ErrorKind::kMalformed, "no context"},
    {"BrokenYaml", "a: [", ErrorKind::kMalformed, "not a kubeconfig"},
    {"Binary", std::string{"\x00\xff\xfe\x80", 4}, ErrorKind::kMalformed, ""},
    {"DeepNesting", std::string(100'000, '['), ErrorKind::kMalformed, "not a kubeconfig"},
    {"SelfReference", "&a [*a]", ErrorKind::kMalformed, ""},
    {"NoSuchContext", "current-context: x\ncontexts: []\n", ErrorKind::kMalformed, "\"x\""},
    {"ContextTwice",
     "current-context: c\ncontexts: [{name: c, context: {}}, {name: c, context: {}}]\n",
     ErrorKind::kMalformed,
     "more than one context"},
    {"ContextIsText",
     "current-context: c\ncontexts: [{name: c, context: text}]\n",
     ErrorKind::kMalformed,
     "no context"},
    {"ContextsAreAMap", "current-context: c\ncontexts: {c: {}}\n", ErrorKind::kMalformed, ""},
    {"NoCluster",
     "current-context: c\ncontexts: [{name: c, context: {user: u}}]\n",
     ErrorKind::kMalformed,
     "no cluster"},
    {"NoServer", with("certificate-authority: ca", kUser), ErrorKind::kMalformed, "no https"},
    {"ServerIsAList", with("server: [a]", kUser), ErrorKind::kMalformed, "not a kubeconfig"},
    {"PlainHttp",
     with("server: http://h, certificate-authority: ca", kUser),
     ErrorKind::kUnsupported,
     "no https"},
    {"OnlyAScheme",
     with("server: https://, certificate-authority: ca", kUser),
     ErrorKind::kMalformed,
     "no https"},
    {"FileScheme",
     with("server: file:///etc/shadow, certificate-authority: ca", kUser),
     ErrorKind::kMalformed,
     "no https"},
    {"UserInServer",
     with("server: 'https://a@h', certificate-authority: ca", kUser),
     ErrorKind::kMalformed,
     "no https"},
    {"QueryInServer",
     with("server: 'https://h/?x=', certificate-authority: ca", kUser),
     ErrorKind::kMalformed,
     "no https"},
    {"LineBreakInServer",
     with("server: \"https://h\\r\\nX: y\", certificate-authority: ca", kUser),
     ErrorKind::kMalformed,
     "no https"},
    {"NotVerified",
     with(kCluster + ", insecure-skip-tls-verify: true", kUser),
     ErrorKind::kUnsupported,
     "insecure-skip-tls-verify"},
    {"NotVerifiedSaidOtherwise",
     with(kCluster + ", insecure-skip-tls-verify: Yes", kUser),
     ErrorKind::kUnsupported,
     "insecure-skip-tls-verify"},
    {"VerifiedPerhaps",
     with(kCluster + ", insecure-skip-tls-verify: perhaps", kUser),
     ErrorKind::kMalformed,
     "not a kubeconfig"},
    {"Proxy",
     with(kCluster + ", proxy-url: http://p", kUser),
     ErrorKind::kUnsupported,
     "proxy-url"},
    {"OtherServerName",
     with(kCluster + ", tls-server-name: n", kUser),
     ErrorKind::kUnsupported,
     "tls-server-name"},
    {"NoAuthority",
     with("server: https://h", kUser),
     ErrorKind::kUnsupported,
     "no certificate authority"},
    {"DataOfAnotherAlphabet",
     with(kCluster + ", certificate-authority-data: 'LS0t_S1C'", kUser),
     ErrorKind::kMalformed,
     "base64"},
    {"DataCutShort",
     with(kCluster + ", certificate-authority-data: LS0tLS1CRUdJTiBYe", kUser),
     ErrorKind::kMalformed,
     "base64"},
    {"PaddingInside",
     with(kCluster + ", certificate-authority-data: 'LS0tLS1CRUdJTi=Y'", kUser),
     ErrorKind::kMalformed,
     "base64"},
    {"OnlyPadding",
     with(kCluster + ", certificate-authority-data: '===='", kUser),
     ErrorKind::kMalformed,
     "base64"},
    {"SpacesInData",
     with(kCluster + ", certificate-authority-data: 'LS0tLS1CRUdJTiBY    '", kUser),
     ErrorKind::kMalformed,
     "base64"},
    {"DataIsNoPem",
     with(kCluster + ", certificate-authority-data: aGVsbG8=", kUser),
     ErrorKind::kMalformed,
     "PEM"},
    {"ExecPlugin", with(kCluster, "exec: {command: aws}"), ErrorKind::kUnsupported, "exec"},
    {"AuthProvider",
     with(kCluster, "auth-provider: {name: gcp}"),
     ErrorKind::kUnsupported,
     "auth-provider"},
    {"ExecBesideAToken",
     with(kCluster, kUser + ", exec: {command: aws}"),
     ErrorKind::kUnsupported,
     "exec"},
    {"Impersonation", with(kCluster, kUser + ", as: admin"), ErrorKind::kUnsupported, "as"},
    {"NoCredentials",
     with(kCluster, "username: u, password: p"),
     ErrorKind::kUnsupported,
     "neither a client certificate nor a token"},
    {"CertificateWithoutKey",
     with(kCluster, "client-certificate: c"),
     ErrorKind::kMalformed,
     "only one"},
    {"KeyWithoutCertificate",
     with(kCluster, kUser + ", client-key: k"),
     ErrorKind::kMalformed,
     "only one"},
};

class HostileKubeconfig : public testing::TestWithParam<Hostile> {};

TEST_P(HostileKubeconfig, IsRefused) {
  const Error error = error_of(GetParam().text);
  EXPECT_EQ(error.kind, GetParam().kind) << to_text(error);
  EXPECT_NE(error.what.find(GetParam().what), std::string::npos) << to_text(error);
  EXPECT_EQ(error.path, kPath);
  EXPECT_NE(error.remedy, "");
}

INSTANTIATE_TEST_SUITE_P(, HostileKubeconfig, testing::ValuesIn(kHostile), [](const auto& test) {
  return std::string{test.param.name};
});

TEST(Kubeconfig, ErrorsNameTheLine) {
  EXPECT_EQ(error_of(with(kCluster + ", proxy-url: http://p", kUser)).line, 5U);
  EXPECT_EQ(error_of(with(kCluster, "exec: {command: aws}")).line, 7U);
  EXPECT_EQ(error_of("a: b\nb: [}\n").line, 2U);
}

}  // namespace
}  // namespace eviction::config
