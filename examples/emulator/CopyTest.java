import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.LongConsumer;

/**
 * A test of a client against the emulator of Diga, with the JDK alone.
 *
 * <p>Start the emulator with {@code digate emulator --control}, then run {@code java CopyTest.java}.
 */
public class CopyTest {

  /** The client under test. */
  static class Client {

    /** The copy may exist: the request was sent, and no response came. */
    static class OutcomeUnknown extends Exception {
      OutcomeUnknown(Throwable cause) {
        super(cause);
      }
    }

    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final String baseUrl;
    private final String token;
    private final LongConsumer sleep;

    Client(String baseUrl, String token, LongConsumer sleep) {
      this.baseUrl = baseUrl;
      this.token = token;
      this.sleep = sleep;
    }

    /** Copies a template. A refusal is repeated when Diga says so; a lost response never is. */
    String copy(String templateId, String body) throws OutcomeUnknown, InterruptedException {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(baseUrl + "/v1/integration/template/" + templateId + "/copy"))
              .header("Authorization", "Bearer " + token)
              .header("Content-Type", "application/json")
              .POST(BodyPublishers.ofString(body))
              .build();
      for (int attempt = 1; ; attempt++) {
        HttpResponse<String> response;
        try {
          response = http.send(request, BodyHandlers.ofString());
        } catch (IOException e) {
          throw new OutcomeUnknown(e);
        }
        if (response.statusCode() == 201) {
          return response.body();
        }
        var wait = response.headers().firstValueAsLong("Retry-After");
        if (wait.isEmpty() || attempt == 3) {
          throw new IllegalStateException(response.statusCode() + " " + response.body());
        }
        sleep.accept(wait.getAsLong());
      }
    }
  }

  static final String STAND_IN = System.getenv().getOrDefault("STAND_IN", "http://127.0.0.1:8090");
  static final HttpClient HTTP = HttpClient.newHttpClient();

  // Nothing in common with another test.
  final String token = UUID.randomUUID().toString();
  final String template = UUID.randomUUID().toString();
  final List<Long> slept = new ArrayList<>();
  final Client client = new Client(STAND_IN, token, this::sleep);

  CopyTest() {
    control("POST", "state", """
        {"templates": [{"id": "%s", "name": "Orders", "template": {"base_url": "https://<<shop>>.example.com"}}]}
        """.formatted(template));
  }

  /** Calls a control route of the emulator. A call that is not as expected throws. */
  static String control(String method, String path, String body) {
    try {
      var response = HTTP.send(
          HttpRequest.newBuilder(URI.create(STAND_IN + "/_emulator/" + path))
              .method(method, BodyPublishers.ofString(body))
              .build(),
          BodyHandlers.ofString());
      if (response.statusCode() > 299) {
        throw new AssertionError(response.body());
      }
      return response.body();
    } catch (IOException | InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  void fails(String rule) {
    control("POST", "faults", """
        {"faults": [{"match": {"operation": "copy_template", "token": "%s"}, %s}]}
        """.formatted(token, rule));
  }

  void sleep(long seconds) {
    slept.add(seconds);
    control("POST", "clock", "{\"advance\": \"%ds\"}".formatted(seconds));
  }

  String copy() throws Exception {
    return client.copy(template, "{\"name\": \"Mine\", \"variables\": {\"shop\": \"acme\"}}");
  }

  static void check(boolean holds, Object found) {
    if (!holds) {
      throw new AssertionError("found " + found);
    }
  }

  void copyFillsInTheVariables() throws Exception {
    String made = copy();
    check(made.contains("\"base_url\":\"https://acme.example.com\""), made);
    control("GET", "calls?token=" + token + "&count=1", "");
  }

  void rateLimitedCopyWaitsAsLongAsTold() throws Exception {
    fails("\"times\": 1, \"for\": \"30s\", \"fault\": \"rate-limited\"");
    copy();
    check(slept.equals(List.of(30L)), slept);
    control("GET", "calls?token=" + token + "&count=2", "");
  }

  void lostResponseIsNotRepeated() throws Exception {
    fails("\"times\": 1, \"fault\": \"reset-after-commit\"");
    try {
      check(false, copy());
    } catch (Client.OutcomeUnknown expected) {
      control("GET", "calls?token=" + token + "&count=1", "");
    }
  }

  public static void main(String[] args) throws Exception {
    new CopyTest().copyFillsInTheVariables();
    new CopyTest().rateLimitedCopyWaitsAsLongAsTold();
    new CopyTest().lostResponseIsNotRepeated();
    System.out.println("OK, 3 tests");
  }
}
