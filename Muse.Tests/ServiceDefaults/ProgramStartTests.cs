using System.Net;
using System.Net.Sockets;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.ServiceDefaults;

/// <summary>Real processes that can't start: a wrong setting, a port in use.</summary>
public class ProgramStartTests
{
    const string NoRedis = "127.0.0.1:1,abortConnect=false";

    // Several values of one program that are out of range are named together. A value of a wrong type is named alone.
    [Theory]
    [InlineData("Muse.Api",
        new[]
        {
            "Api__MaxPromptLength=0", "MUSE_API_KEYS=ada:too-short", "Queue__Lease=00:00:00", "Queue__WaitReplicas=6",
            "ObjectStore__Bucket=Images",
        },
        "Api:MaxPromptLength must be between 1 and 200000.",
        "Api:Keys (MUSE_API_KEYS): the secret of 'ada' is shorter than 16 characters.",
        "Queue:Lease must be between 00:00:01 and 00:10:00.",
        "Queue:WaitReplicas must be between 0 and 5.",
        "ObjectStore:Bucket must have 3 to 63 lower-case letters, digits, dots and hyphens.")]
    [InlineData("Muse.Api", new[] { "Api__RateLimits__KeyRequests=many" },
        "Api:RateLimits:KeyRequests must be a whole number, from 1 to 100000000; it is 'many'.")]
    [InlineData("Muse.Api", new[] { "Queue__Lease=soon" },
        "Queue:Lease must be a duration such as 00:00:30, from 00:00:01 to 00:10:00; it is 'soon'.")]
    [InlineData("Muse.Api", new[] { "MUSE_RATE_LIMITS=perhaps" },
        "Api:RateLimits:Enabled must be true or false; it is 'perhaps' (MUSE_RATE_LIMITS sets it).")]
    [InlineData("Muse.Api", new[] { "ObjectStore__Endpoint=minio:9000" },
        "ObjectStore:Endpoint must be an address such as https://s3.example.com:9000, with http or https and without a path; it is "
        + "'minio:9000'.")]
    [InlineData("Muse.GpuWorker", new[] { "MUSE_MAX_BATCH_SIZE=0", "ObjectStore__Endpoint=http://127.0.0.1:9000" },
        "Engine:MaxBatchSize must be between 1 and 256 (MUSE_MAX_BATCH_SIZE sets it).",
        "ObjectStore:Endpoint is set and ObjectStore:Bucket is not. Set both, or neither.")]
    [InlineData("Muse.GpuWorker", new[] { "Engine__Mode=sometimes" },
        "Engine:Mode must be Continuous or Static; it is 'sometimes'.")]
    [InlineData("Muse.GpuWorker", new[] { "MUSE_MODEL=/no-such-model" },
        "/no-such-model: there is no such folder; MUSE_MODEL is to name one with a model_index.json.")]
    [InlineData("Muse.GpuWorker", new[] { "MUSE_GPU_TYPE=abacus" },
        "Worker:Device (MUSE_GPU_TYPE): There is no device 'abacus'; it can be auto, cpu, cuda, tensorrt, "
        + "plugin:/path/to/library, or simulated:base=40ms,picture=10ms.")]
    [InlineData("Muse.GpuWorker", new[] { "ObjectStore__SecretKey=secret" },
        "One of ObjectStore:AccessKey and ObjectStore:SecretKey is set. Set both, or neither.")]
    [InlineData("Muse.Autoscaler", new[] { "MUSE_AUTOSCALE_INTERVAL=-30", "MUSE_AUTOSCALE_POLICY=magic" },
        "Autoscaler:Interval must be between 00:00:01 and 01:00:00 (MUSE_AUTOSCALE_INTERVAL sets it).",
        "Autoscaler:Policy must be drain or step (MUSE_AUTOSCALE_POLICY sets it).")]
    [InlineData("Muse.Autoscaler", new[] { "MUSE_AUTOSCALE_INTERVAL=soon" },
        "Autoscaler:Interval must be a duration such as 00:00:30, from 00:00:01 to 01:00:00; it is 'soon' "
        + "(MUSE_AUTOSCALE_INTERVAL sets it).")]
    [InlineData("Muse.Autoscaler", new[] { "MUSE_AUTOSCALE_INTERVAL=240", "MUSE_MIN_WORKERS=5", "ObjectStore__Prefix=muse" },
        "Autoscaler:StabilisationWindow must be between Interval, which is 00:04:00, and 01:00:00; it is 00:03:00.", // 240 is seconds.
        "Autoscaler:MinWorkers must be between 0 and MaxWorkers, which is 4; it is 5 (MUSE_MIN_WORKERS sets it).",
        "ObjectStore:Prefix must have letters, digits, '_', '.', '-' and '/', and end with '/'.")]
    public async Task Wrong_settings_stop_the_program_with_a_sentence_for_each_that_names_it_and_what_is_allowed(
        string program, string[] settings, params string[] sentences)
    {
        await using var process = new ProgramProcess(program,
        [
            ("ConnectionStrings__redis", NoRedis), ("Logging__LogLevel__Default", "Warning"),
            .. settings.Select(setting => setting.Split('=', 2)).Select(parts => (parts[0], parts[1])),
        ]);
        await process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(3)).Token);
        Assert.Equal(1, process.ExitCode);
        var output = process.Output.TrimEnd();
        Assert.All(sentences, sentence => Assert.Contains($" {sentence}", output, StringComparison.Ordinal));
        Assert.Equal($"{program} can't start: {string.Join(' ', sentences)}".Length, output.Length); // And nothing else.
    }

    [Theory]
    [InlineData("Muse.Api")]
    [InlineData("Muse.GpuWorker")]
    [InlineData("Muse.Autoscaler")]
    public async Task A_port_that_is_taken_stops_the_program_with_a_sentence_that_names_it(string program)
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var address = $"http://{other.LocalEndpoint}";
        await using var process = new ProgramProcess(program,
            ("ConnectionStrings__redis", NoRedis), ("MUSE_GPU_TYPE", "simulated:base=0ms"), ("ASPNETCORE_URLS", address));
        await process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(3)).Token);
        Assert.Equal(1, process.ExitCode);
        Assert.Contains($"{program} can't start: Failed to bind to address {address}: address already in use.", process.Output);
    }
}
