// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "agent/exporter.h"
#include "agent/http.h"
#include "cgroup/descriptor.h"
#include "tests/agent/sample_plan.h"
#include "tests/support/loop_thread.h"

namespace eviction::tests {

/// An exporter on a loop of its own, and clients of it.
class Served : public testing::Test {
 protected:
  Served() { config_.metrics_listen = {{false, "127.0.0.1", 0}}; }

  ~Served() override {
    if (thread_) {
      thread_->call([this] { exporter_.reset(); });
    }
  }

  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  Served(Served&&) = delete;
  Served& operator=(Served&&) = delete;

  /// Starts it, or gives it the configuration again.
  void configure() {
    if (!thread_) {
      thread_ = std::make_unique<LoopThread>();
      thread_->call([this] {
        exporter_ = std::make_unique<agent::Exporter>(thread_->loop(), plan_, status_, textfile_);
      });
    }
    thread_->call([this] { exporter_->configure(config_); });
  }

  void walk() {
    thread_->call([this] { exporter_->walked(); });
  }

  void on_loop(const std::function<void()>& task) { thread_->call(task); }

  /// All problems in one text.
  std::string problems() {
    std::string text;
    thread_->call([this, &text] {
      for (const Error& error : exporter_->problems()) {
        text += to_text(error) + '\n';
      }
    });
    return text;
  }

  /// Of the first address; 0 for none.
  std::uint16_t port() {
    std::uint16_t port = 0;
    thread_->call([this, &port] {
      const auto addresses = exporter_->addresses();
      port = addresses.empty() ? std::uint16_t{0} : addresses.front().port;
    });
    return port;
  }

  struct Answer {
    long status = 0;  ///< 0: none
    std::string body = {};
    std::map<std::string, std::string> headers = {};
    std::string problem = {};
  };

  Answer get(const std::string& path, const std::optional<agent::Tls>& tls = std::nullopt) {
    return get_from(
        (tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port()) + path, tls);
  }

  Answer get_from(const std::string& url, const std::optional<agent::Tls>& tls = std::nullopt) {
    agent::HttpRequest request;
    request.url = url;
    request.headers = headers_;
    request.timeout = std::chrono::seconds{20};
    request.limit = std::size_t{1} << 20;
    if (tls) {
      request.tls = *tls;
    }
    const auto answer = agent::send(request);
    if (!answer) {
      return {.problem = to_text(answer.error().error)};
    }
    return {.status = answer->status, .body = answer->body, .headers = answer->headers};
  }

  /// A connection as a client makes it; reads give up after 15 s.
  Descriptor connect() {
    Descriptor client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 15, .tv_usec = 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return client;
  }

  static void say(const Descriptor& client, const std::string& text) {
    static_cast<void>(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL));
  }

  /// Until the server closes.
  static std::string hear(const Descriptor& client) {
    std::string heard;
    std::array<char, 4096> part{};
    ssize_t size = 0;
    while ((size = ::recv(client.get(), part.data(), part.size(), 0)) > 0) {
      heard.append(part.data(), static_cast<std::size_t>(size));
    }
    return heard;
  }

  agent::Plan plan_ = sample_plan();
  agent::Status status_;
  std::optional<std::string> textfile_;
  config::AgentConfig config_;
  std::vector<std::string> headers_;
  std::unique_ptr<LoopThread> thread_;
  std::unique_ptr<agent::Exporter> exporter_;
};

}  // namespace eviction::tests
