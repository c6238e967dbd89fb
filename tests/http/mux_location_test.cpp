// Where a redirect leads: the table of net/http's Redirect, and the sizes around what fits.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "stack/http/location.hpp"

namespace pollux::test {
namespace {

struct LocationRow {
  std::string_view request_path;
  std::string_view target;
  std::string_view location;
};
constexpr LocationRow location_rows[] = {
    {"/qux/", "http://foobar.com/baz", "http://foobar.com/baz"},
    {"/qux/", "https://foobar.com/baz", "https://foobar.com/baz"},
    {"/qux/", "test://foobar.com/baz", "test://foobar.com/baz"},
    {"/qux/", "//foobar.com/baz", "//foobar.com/baz"},
    {"/qux/", "/foobar.com/baz", "/foobar.com/baz"},
    {"/qux/", "foobar.com/baz", "/qux/foobar.com/baz"},
    {"/qux/", "../quux/foobar.com/baz", "/quux/foobar.com/baz"},
    {"/qux/", "?x=y", "/qux/?x=y"},
    {"/qux", "g", "/g"},
    {"/a/b/c", "", "/a/b/"},
    {"/a/b/c", ".", "/a/b"},
    {"/a/b/c", "..", "/a"},
    {"/a/b/c", "./", "/a/b/"},
    {"/a/b/c", "x/../y/", "/a/b/y/"},
    {"/a", "/é", "/%c3%a9"},
    {"/a", "/b?x=/../y", "/b?x=/../y"},
    {"/a", "mailto:x", "mailto:x"},
    {"/a/", "/../../b", "/b"},
    // not in that table
    {"/a/b?c", "", "/a/"},  // a '?' cannot be in a path; nothing breaks if it is
    {"*", "x", "/x"},
    {"", "x", "/x"},
    {"/a", "x#y/../z", "/x#y/../z"},
    {"/a", "#top", "/#top"},
    {"/a", "/b c", "/b%20c"},
    {"/a", "/b\r\nX: y", "/b%0d%0aX:%20y"},
    {"/a", "https://h/\xc3\xa9", "https://h/%c3%a9"},
    {"/a//b/../c", "d", "/a/d"},
};

TEST(MuxLocation, LeadsWhereNetHttpLeads) {
  for (const LocationRow& row : location_rows) {
    SCOPED_TRACE(std::string{row.request_path} + " + " + std::string{row.target});
    std::vector<char> out(3 * (row.request_path.size() + row.target.size()) + 1);
    const auto location = http::redirect_location(row.request_path, row.target, out);
    ASSERT_TRUE(location);
    EXPECT_EQ(*location, row.location);
  }
}

// Whatever the size, the result is right or refused.
TEST(MuxLocation, RefusesWhatDoesNotFit) {
  for (const LocationRow& row : location_rows) {
    for (std::size_t size = 0; size < row.location.size(); ++size) {
      std::vector<char> out(size);
      const auto location = http::redirect_location(row.request_path, row.target, out);
      ASSERT_FALSE(location);
      EXPECT_EQ(location.error(), wire::UrlError::out_too_small);
    }
  }
}

}  // namespace
}  // namespace pollux::test
