// Copies that a thread asks for and waits for later.
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

namespace shim {

struct Copy {
  void* there;
  const void* from;
  int bytes, given;

  void make() const {
    if (given > 0) std::memcpy(there, from, given);
    std::memset(static_cast<unsigned char*>(there) + given, 0, bytes - given);
  }
};

// Of one thread: a copy is made when its group is waited for and not before, so that who reads too early finds what
// stood there.
class Copies {
 public:
  void add(const Copy& copy) { asked.push_back(copy); }
  void close() { ends.push_back(asked.size()); }
  void wait(size_t open) {
    while (ends.size() > open) {
      const size_t end = ends.front();
      ends.erase(ends.begin());
      for (size_t n = made; n < end; ++n) asked[n].make();
      made = std::max(made, end);
    }
  }

 private:
  std::vector<Copy> asked;
  std::vector<size_t> ends;  // of the groups that nobody has waited for
  size_t made = 0;
};

}  // namespace shim
