package example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.github.digate.diga.integration.v1.CopyTemplateRequest;
import io.github.digate.diga.integration.v1.CopyTemplateResponse;
import io.github.digate.diga.integration.v1.IntegrationServiceGrpc.IntegrationServiceBlockingStub;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * What became of a call of digate that failed, and a copy that is made once. Copy this
 * file into your project.
 *
 * <p>The error of one copy of a bulk stream is {@link
 * StatusProto#toStatusRuntimeException} of its {@code google.rpc.Status}.
 */
public final class DigateErrors {
  /**
   * Returns what happened on Diga's side: NOT_SENT, REJECTED, DONE or UNKNOWN. An error
   * without an outcome does not come from digate: the connection was lost, or a proxy
   * failed the call. It counts as UNKNOWN.
   */
  public static String outcome(Throwable error) {
    return detail(error, ErrorInfo.class).map(info -> info.getMetadataMap().get("outcome")).orElse("UNKNOWN");
  }

  /** Returns after what time to try again, if digate named one. */
  public static Optional<Duration> retryDelay(Throwable error) {
    return detail(error, RetryInfo.class)
        .map(RetryInfo::getRetryDelay)
        .map(delay -> Duration.ofSeconds(delay.getSeconds(), delay.getNanos()));
  }

  /** Returns the names of the fields whose values were refused. */
  public static List<String> violations(Throwable error) {
    return detail(error, BadRequest.class).stream()
        .flatMap(bad -> bad.getFieldViolationsList().stream())
        .map(BadRequest.FieldViolation::getField)
        .toList();
  }

  /**
   * Makes one integration, however often the request has to be sent. The request has a
   * request id. Store it with your own record of the job before the first call, so that
   * the job can be repeated after a crash too. While there is time, the call is repeated
   * if digate names a delay, or if the result was lost. Throws the last error: UNKNOWN
   * then means that a person has to look.
   */
  public static CopyTemplateResponse copyOnce(
      IntegrationServiceBlockingStub stub, CopyTemplateRequest request, Duration timeout) throws InterruptedException {
    if (request.getRequestId().isEmpty()) {
      throw new IllegalArgumentException("a copy without a request id must not be repeated");
    }
    var end = System.nanoTime() + timeout.toNanos();
    for (var pause = Duration.ofMillis(200); ; pause = pause.multipliedBy(2)) {
      try {
        return stub.withDeadlineAfter(end - System.nanoTime(), TimeUnit.NANOSECONDS).copyTemplate(request);
      } catch (StatusRuntimeException error) {
        var delay = retryDelay(error);
        // ABORTED is digate's own UNKNOWN: an earlier call with this id was sent.
        var lost = outcome(error).equals("UNKNOWN") && error.getStatus().getCode() != Status.Code.ABORTED;
        if (delay.isEmpty() && !lost) throw error;
        var wait = delay.orElse(pause);
        if (end - System.nanoTime() <= wait.toNanos()) throw error;
        TimeUnit.NANOSECONDS.sleep(wait.toNanos());
      }
    }
  }

  private static <T extends Message> Optional<T> detail(Throwable error, Class<T> type) {
    var status = StatusProto.fromThrowable(error);
    if (status == null) return Optional.empty();
    for (Any detail : status.getDetailsList()) {
      if (detail.is(type)) {
        try {
          return Optional.of(detail.unpack(type));
        } catch (InvalidProtocolBufferException malformed) {
          return Optional.empty();
        }
      }
    }
    return Optional.empty();
  }

  private DigateErrors() {}
}
