// Transfer: one URL from the command line - its request, the redirects behind it, the tries again, and where the body goes.
//
//   idle -> resolving -> asking -> reading | skipping -> done
//             ^             ^---- redirect ----'  |
//             '------------- waiting <-- retry ---'
//
// Redirects are followed here and not by http::Client, because curl's rules are others than net/http's: -X stays, PUT stays PUT, every
// 3xx with a Location counts, credentials belong to host, port and scheme, and each head is shown.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "apps/fetch/failure.hpp"
#include "apps/fetch/job.hpp"
#include "apps/fetch/options.hpp"
#include "apps/fetch/output.hpp"
#include "apps/fetch/progress.hpp"
#include "apps/fetch/rate_limit.hpp"
#include "apps/fetch/report.hpp"
#include "apps/fetch/request.hpp"
#include "apps/fetch/tls_setup.hpp"
#include "apps/fetch/upload.hpp"
#include "apps/fetch/verbose.hpp"
#include "stack/http/cookie_jar.hpp"
#include "stack/http/proxy.hpp"
#include "stack/http/round_trip.hpp"
#include "stack/http/transport.hpp"
#include "stack/net/loop.hpp"
#include "stack/net/resolver.hpp"

namespace pollux::fetch {

// What all transfers of a call share.
struct Session {
  const Options& options;
  net::Loop& loop;
  net::Resolver& resolver;
  http::Transport& transport;
  http::CookieJar* jar = nullptr;
  Verbose& verbose;
  const TlsSetup& tls;
  int head_file = -1;  // -D
};

struct TransferMemory {
  static constexpr std::size_t url_size = 32768;

  http::RoundTripStorage<url_size, 49152> request{};
  std::array<char, url_size> url{};       // the hop's, with user and fragment
  std::array<char, url_size> bare_url{};  // without
  std::array<char, url_size> next{};      // where a redirect leads
  std::array<char, url_size> referer{};
  std::array<char, 65536> head{};  // the last one, for -w
  std::array<char, 32768> scratch{};
  std::array<char, 1024> credentials{};
  std::array<char, 512> ranges{};
};

class Transfer {
 public:
  Transfer(const Session& session, TransferMemory& memory);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Begins; turn the loop until is_over(). `job` outlives it.
  void start(const Job& job);
  [[nodiscard]] bool is_over() const { return state_ == State::done; }
  [[nodiscard]] const Failure& failure() const { return failure_; }
  [[nodiscard]] const Report& report() const { return report_; }

 private:
  enum class State : std::uint8_t { idle, resolving, asking, reading, skipping, waiting, done };
  // What comes behind a body that is read away.
  enum class Next : std::uint8_t { end, redirect, again };

  // ---- hops
  void begin_attempt();
  void begin_hop();
  void ask(const std::optional<port::Endpoint>& endpoint);
  void found(net::Lookup& lookup);
  [[nodiscard]] std::optional<port::Endpoint> fixed_endpoint(std::string_view host, std::uint16_t port);
  void set_hop(std::string_view url);
  void follow();
  void change_method(int status);
  [[nodiscard]] bool is_trusted(const wire::Url& url) const;

  // ---- answers
  void answered(http::Response& response);
  void look_at_head();
  void take_head(std::string_view text);
  void show_head(std::string_view text);
  void show_trailers();
  [[nodiscard]] Failure refuse_head();
  void find_redirect();
  [[nodiscard]] bool is_refused_by_status() const;
  void take_upgrade();
  void body_came();
  [[nodiscard]] Failure take(std::string_view piece);
  void body_over();
  void skip_on();
  [[nodiscard]] bool may_send_again();

  // ---- ends
  void failed(const http::CallError& error);
  void finish(const Failure& failure);
  [[nodiscard]] const char* reason_to_retry() const;
  [[nodiscard]] port::Duration retry_wait();
  [[nodiscard]] FailureContext context() const;

  // ---- measuring and showing
  void traced(const http::Trace& trace);
  void ask_progress(Moved& moved);
  void start_progress();
  void paused();
  void check_speed();
  void upload_more() { trip_.resume_body(); }
  [[nodiscard]] port::Duration since_beginning(port::Time at) const;
  [[nodiscard]] port::Duration time_left() const;
  [[nodiscard]] const Options& options() const { return session_.options; }
  [[nodiscard]] port::Time now() const { return session_.loop.port().now(); }

  Session session_;
  TransferMemory& memory_;
  http::RoundTrip trip_;
  http::Response response_{};
  net::Lookup lookup_;
  net::Timer timer_;  // the pause of a limited rate, before another try, or how long an unwanted body may take
  net::Timer slow_;   // -y, until the head is there; from then on the transport looks
  Upload upload_;
  Progress progress_;
  Output output_{};
  RateLimit rate_{};

  const Job* job_ = nullptr;
  Hop hop_{};
  Report report_{};
  Failure failure_{};
  State state_ = State::idle;
  Next next_ = Next::end;
  port::Time began_{};        // of this attempt
  port::Time first_began_{};  // of the first
  std::uint32_t tries_ = 0;
  port::Duration wait_{};    // before the next try, without a --retry-delay
  std::string_view host_{};  // of the hop
  std::uint16_t port_ = 0;
  std::string_view to_host_{};   // --connect-to
  std::uint64_t body_size_ = 0;  // declared
  std::uint64_t retry_after_s_ = 0;
  std::uint64_t moved_ = 0;       // bytes, both ways, when slow_ began
  std::uint32_t connection_ = 0;  // the one in use, and our end of it
  port::Address local_{};
  bool has_interim_ = false;
  bool is_chunked_ = false;
  bool was_refused_ = false;  // nobody listens there: --retry-connrefused
  bool is_expecting_ = false;
  bool is_too_long_ = false;   // the Location
  bool is_unwanted_ = false;   // the body of a resumed transfer that is complete
  bool cannot_write_ = false;  // a head could not be shown
};

}  // namespace pollux::fetch
