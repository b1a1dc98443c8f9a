// The driver for grpc-java. doc.go says what a driver does.

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.protobuf.Any;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.CallOptions;
import io.grpc.ChannelCredentials;
import io.grpc.ClientCall;
import io.grpc.Codec;
import io.grpc.CompressorRegistry;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.protobuf.StatusProto;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.InflaterInputStream;

public final class Driver {
  static final class Plan {
    String address;
    String descriptors;
    String service_config;
    String compression;
    int keepalive_ms;
    Tls tls;
    Call warm;
    List<Call> calls;
    Load load;
  }

  static final class Tls {
    String authorities;
    String certificate;
    String key;

    ChannelCredentials credentials() throws java.io.IOException {
      var builder = TlsChannelCredentials.newBuilder().trustManager(pem(authorities));
      if (certificate != null) builder.keyManager(pem(certificate), pem(key));
      return builder.build();
    }

    static InputStream pem(String text) {
      return new java.io.ByteArrayInputStream(text.getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    }
  }

  static final class Call {
    String method;
    List<String> messages;
    Map<String, String> metadata = Map.of();
    int timeout_ms;
  }

  static final class Load {
    int workers;
    int ms;
  }

  static final class Ended {
    int index;
    String code = "OK";
    String message;
    String reason;
    String domain;
    Map<String, String> info;
    List<String> violations;
    List<String> responses = new ArrayList<>();
    Map<String, String> header = Map.of();
    Map<String, String> trailer = Map.of();
  }

  static final Gson GSON = new Gson();

  final Plan plan;
  final ManagedChannel channel;
  final Map<String, MethodDescriptor<DynamicMessage, DynamicMessage>> methods = new HashMap<>();
  final List<ClientCall<?, ?>> open = new ArrayList<>();

  Driver(Plan plan) throws Exception {
    this.plan = plan;
    load(FileDescriptorSet.parseFrom(Files.readAllBytes(Path.of(plan.descriptors))));
    if ("deflate".equals(plan.compression)) {
      CompressorRegistry.getDefaultInstance().register(new Deflate());
    }
    var credentials = plan.tls == null ? InsecureChannelCredentials.create() : plan.tls.credentials();
    var builder = NettyChannelBuilder.forTarget("dns:///" + plan.address, credentials).enableRetry();
    if (plan.service_config != null) {
      @SuppressWarnings("unchecked")
      Map<String, ?> config = GSON.fromJson(plan.service_config, Map.class);
      builder.defaultServiceConfig(config);
    }
    if (plan.keepalive_ms > 0) {
      builder.keepAliveTime(plan.keepalive_ms, TimeUnit.MILLISECONDS).keepAliveWithoutCalls(true);
    }
    channel = builder.build();
  }

  void load(FileDescriptorSet set) throws Exception {
    Map<String, FileDescriptor> files = new HashMap<>();
    for (FileDescriptorProto proto : set.getFileList()) { // each after those that it imports
      var imports = proto.getDependencyList().stream().map(files::get).toArray(FileDescriptor[]::new);
      var file = FileDescriptor.buildFrom(proto, imports);
      files.put(proto.getName(), file);
      for (var service : file.getServices()) {
        for (var method : service.getMethods()) {
          var name = service.getFullName() + "/" + method.getName();
          methods.put(name, MethodDescriptor.<DynamicMessage, DynamicMessage>newBuilder()
              .setType(method.isClientStreaming() ? MethodDescriptor.MethodType.BIDI_STREAMING : MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(name)
              .setRequestMarshaller(ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(method.getInputType())))
              .setResponseMarshaller(ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(method.getOutputType())))
              .build());
        }
      }
    }
  }

  CompletableFuture<Ended> start(Call call) {
    var method = methods.get(call.method);
    var options = CallOptions.DEFAULT;
    if (plan.compression != null) options = options.withCompression(plan.compression);
    if (call.timeout_ms > 0) options = options.withDeadlineAfter(call.timeout_ms, TimeUnit.MILLISECONDS);
    var metadata = new Metadata();
    call.metadata.forEach((k, v) -> metadata.put(Metadata.Key.of(k, Metadata.ASCII_STRING_MARSHALLER), v));
    var rpc = channel.newCall(method, options);
    synchronized (open) {
      if (plan.load == null) open.add(rpc);
    }
    var ended = new Ended();
    var future = new CompletableFuture<Ended>();
    rpc.start(new ClientCall.Listener<DynamicMessage>() {
      @Override public void onHeaders(Metadata header) {
        ended.header = pairs(header);
      }

      @Override public void onMessage(DynamicMessage message) {
        ended.responses.add(Base64.getEncoder().encodeToString(message.toByteArray()));
        rpc.request(1);
      }

      @Override public void onClose(Status status, Metadata trailer) {
        ended.code = status.getCode().name();
        ended.message = status.getDescription();
        ended.trailer = pairs(trailer);
        if (!status.isOk()) details(status, trailer, ended);
        future.complete(ended);
      }
    }, metadata);
    rpc.request(2);
    if (plan.compression != null) rpc.setMessageCompression(true);
    for (String message : call.messages) {
      rpc.sendMessage(parse(method, message));
    }
    rpc.halfClose();
    return future;
  }

  static DynamicMessage parse(MethodDescriptor<DynamicMessage, DynamicMessage> method, String message) {
    return method.parseRequest(new java.io.ByteArrayInputStream(Base64.getDecoder().decode(message)));
  }

  static void details(Status status, Metadata trailer, Ended ended) {
    var proto = StatusProto.fromStatusAndTrailers(status, trailer);
    try {
      for (Any detail : proto.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          var info = detail.unpack(ErrorInfo.class);
          ended.reason = info.getReason();
          ended.domain = info.getDomain();
          ended.info = info.getMetadataMap();
        } else if (detail.is(BadRequest.class)) {
          ended.violations = detail.unpack(BadRequest.class).getFieldViolationsList().stream().map(v -> v.getField()).toList();
        }
      }
    } catch (com.google.protobuf.InvalidProtocolBufferException e) {
      ended.message = "details: " + e;
    }
  }

  static Map<String, String> pairs(Metadata metadata) {
    var pairs = new TreeMap<String, String>();
    for (String key : metadata.keys()) {
      if (!key.endsWith("-bin") && !key.equals("content-type")) {
        pairs.put(key, metadata.get(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER)));
      }
    }
    return pairs;
  }

  Map<String, Integer> load() throws Exception {
    var ends = new TreeMap<String, Integer>();
    var until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(plan.load.ms);
    var workers = new ArrayList<Thread>();
    for (int i = 0; i < plan.load.workers; i++) {
      var worker = new Thread(() -> {
        while (System.nanoTime() < until) {
          var e = start(plan.calls.get(0)).join();
          var end = e.code.equals("OK") ? "OK" : e.code + " " + (e.reason != null ? e.reason : "without ErrorInfo: " + e.message);
          synchronized (ends) {
            ends.merge(end, 1, Integer::sum);
          }
        }
      });
      worker.start();
      workers.add(worker);
    }
    for (var worker : workers) worker.join();
    return ends;
  }

  public static void main(String[] args) throws Exception {
    var plan = GSON.fromJson(Files.readString(Path.of(args[0])), Plan.class);
    var driver = new Driver(plan);
    if (plan.load != null) {
      var line = new JsonObject();
      line.add("ends", GSON.toJsonTree(driver.load()));
      System.out.println(line);
      System.exit(0);
    }
    if (plan.warm != null) driver.start(plan.warm).join();
    var futures = new ArrayList<CompletableFuture<?>>();
    for (int i = 0; i < plan.calls.size(); i++) {
      int index = i;
      futures.add(driver.start(plan.calls.get(i)).thenAccept(ended -> {
        ended.index = index;
        synchronized (GSON) {
          System.out.println(GSON.toJson(ended));
        }
      }));
    }
    var canceller = new Thread(() -> {
      try {
        while (System.in.read() >= 0) {}
      } catch (java.io.IOException e) {
        return;
      }
      synchronized (driver.open) {
        driver.open.forEach(rpc -> rpc.cancel("cancelled", null));
      }
    });
    canceller.setDaemon(true);
    canceller.start();
    CompletableFuture.allOf(futures.toArray(CompletableFuture[]::new)).join();
    System.exit(0);
  }

  static final class Deflate implements Codec {
    @Override public String getMessageEncoding() {
      return "deflate";
    }

    @Override public OutputStream compress(OutputStream to) {
      return new DeflaterOutputStream(to);
    }

    @Override public InputStream decompress(InputStream from) {
      return new InflaterInputStream(from);
    }
  }
}
