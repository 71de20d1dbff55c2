// SPDX-License-Identifier: Apache-2.0
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/named_nodes.h"

namespace {

int list() {
  for (const eviction::tests::NamedNode& node : eviction::tests::named_nodes()) {
    std::cout << node.name << "\t" << node.about << "\n";
  }
  return 0;
}

template <typename Node>
int make(const Node& node, std::string_view directory) {
  try {
    eviction::tests::write(node(), directory);
  } catch (const std::exception& problem) {
    std::cerr << "make_node: " << problem.what() << "; --list shows the names\n";
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == "--list") {
    return list();
  }
  if (arguments.size() == 2) {
    return make([&] { return eviction::tests::named_node(arguments[0]); }, arguments[1]);
  }
  if (arguments.size() == 3 && arguments[0] == "--pods") {
    return make(
        [&] { return eviction::tests::node_with_pods(std::stoi(std::string{arguments[1]})); },
        arguments[2]);
  }
  std::cerr << "usage: make_node --list | make_node NAME DIR | make_node --pods NUMBER DIR\n";
  return 2;
}
