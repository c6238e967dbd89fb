// client_curl: libcurl's multi interface, one easy handle per connection, each added again when its answer has come. Command line:
// client_run.hpp.
//
// It is driven by curl_multi_perform() and curl_multi_poll(), which took less processor time here than curl_multi_socket_action() over epoll
// from 16 connections on (14.0 against 17.2 us a request; with one 41 against 37; libcurl 7.88, 2026-11-21). CLIENT_CURL=socket in the
// environment takes the latter. No signals, no logging, answers are counted and thrown away.
#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/bench/client_run.hpp"

namespace {

std::size_t throw_away(char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

class Client {
 public:
  explicit Client(const bench::Task& task) : task_{task} {
    const std::string url = "http://127.0.0.1:" + std::to_string(task.port) + "/hello";
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(task.connections));
    for (std::uint32_t i = 0; i < task.connections; ++i) {
      CURL* easy = curl_easy_init();
      curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
      curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, throw_away);
      curl_easy_setopt(easy, CURLOPT_TIMEOUT, 10L);
      easies_.push_back(easy);
    }
  }
  ~Client() {
    for (CURL* easy : easies_) {
      curl_multi_remove_handle(multi_, easy);
      curl_easy_cleanup(easy);
    }
    curl_multi_cleanup(multi_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void run_by_perform() {
    begin();
    int running = 0;
    while (!watch_.is_over(answers_)) {
      check(curl_multi_perform(multi_, &running));
      take_answers();
      if (!watch_.is_over(answers_)) {
        check(curl_multi_poll(multi_, nullptr, 0, 10'000, nullptr));
      }
    }
    watch_.print(answers_);
  }

  void run_by_socket_action() {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Client::socket_changed);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Client::timer_changed);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    begin();
    std::array<epoll_event, 64> events{};
    int running = 0;
    while (!watch_.is_over(answers_)) {
      const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms());
      for (int i = 0; i < ready; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const int what = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                         ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                         ((event.events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
        check(curl_multi_socket_action(multi_, event.data.fd, what, &running));
      }
      if (timer_ns_ >= 0 && bench::now_ns() >= timer_ns_) {
        timer_ns_ = -1;
        check(curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running));
      }
      take_answers();
    }
    watch_.print(answers_);
  }

 private:
  static void check(CURLMcode code) {
    if (code != CURLM_OK) {
      bench::fail(curl_multi_strerror(code));
    }
  }

  static int socket_changed(CURL*, curl_socket_t socket, int what, void* object, void* known) {
    auto* self = static_cast<Client*>(object);
    epoll_event event{};
    event.data.fd = socket;
    event.events = ((what & CURL_POLL_IN) != 0 ? static_cast<std::uint32_t>(EPOLLIN) : 0U) |
                   ((what & CURL_POLL_OUT) != 0 ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
    if (what == CURL_POLL_REMOVE) {
      ::epoll_ctl(self->epoll_, EPOLL_CTL_DEL, socket, &event);
    } else if (known == nullptr) {
      ::epoll_ctl(self->epoll_, EPOLL_CTL_ADD, socket, &event);
      curl_multi_assign(self->multi_, socket, self);
    } else {
      ::epoll_ctl(self->epoll_, EPOLL_CTL_MOD, socket, &event);
    }
    return 0;
  }
  static int timer_changed(CURLM*, long wait_ms, void* object) {
    static_cast<Client*>(object)->timer_ns_ = wait_ms < 0 ? -1 : bench::now_ns() + wait_ms * std::int64_t{1'000'000};
    return 0;
  }
  [[nodiscard]] int wait_ms() const {
    if (timer_ns_ < 0) {
      return 10'000;
    }
    const std::int64_t left = timer_ns_ - bench::now_ns();
    return left <= 0 ? 0 : static_cast<int>((left + 999'999) / 1'000'000);
  }

  void begin() {
    for (CURL* easy : easies_) {
      if (watch_.may_begin(begun_)) {
        ++begun_;
        check(curl_multi_add_handle(multi_, easy));
      }
    }
  }

  void take_answers() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) {
        continue;
      }
      if (message->data.result != CURLE_OK) {
        bench::fail(curl_easy_strerror(message->data.result));
      }
      CURL* easy = message->easy_handle;
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      if (status != 200) {
        bench::fail("an answer was not 200");
      }
      ++answers_;
      check(curl_multi_remove_handle(multi_, easy));
      if (watch_.may_begin(begun_)) {
        ++begun_;
        check(curl_multi_add_handle(multi_, easy));
      }
    }
  }

  bench::Task task_;
  CURLM* multi_ = curl_multi_init();
  std::vector<CURL*> easies_;
  int epoll_ = -1;
  std::int64_t timer_ns_ = -1;
  std::uint64_t begun_ = 0;
  std::uint64_t answers_ = 0;
  bench::Stopwatch watch_{task_};
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Task task = bench::read_task(argc, argv);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  Client client{task};
  const char* by = std::getenv("CLIENT_CURL");
  if (by != nullptr && std::string_view{by} == "socket") {
    client.run_by_socket_action();
  } else {
    client.run_by_perform();
  }
}
