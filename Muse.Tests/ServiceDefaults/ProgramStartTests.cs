using System.Net;
using System.Net.Sockets;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.ServiceDefaults;

/// <summary>Real processes that can't start: a wrong setting, a port in use.</summary>
public class ProgramStartTests
{
    const string NoRedis = "127.0.0.1:1,abortConnect=false";

    [Theory]
    [InlineData("Muse.Api", "Api__MaxPromptLength", "0", "Api:MaxPromptLength must be between 1 and 200000.")]
    [InlineData("Muse.Api", "Api__RateLimits__KeyRequests", "many",
        "Api:RateLimits:KeyRequests must be a whole number, from 1 to 100000000; it is 'many'.")]
    [InlineData("Muse.Api", "Queue__Lease", "00:00:00", "Queue:Lease must be between 00:00:01 and 00:10:00.")]
    [InlineData("Muse.Api", "Queue__Lease", "soon",
        "Queue:Lease must be a duration such as 00:00:30, from 00:00:01 to 00:10:00; it is 'soon'.")]
    [InlineData("Muse.Api", "MUSE_RATE_LIMITS", "perhaps",
        "Api:RateLimits:Enabled must be true or false; it is 'perhaps' (MUSE_RATE_LIMITS sets it).")]
    [InlineData("Muse.Api", "MUSE_API_KEYS", "ada:too-short",
        "Api:Keys (MUSE_API_KEYS): the secret of 'ada' is shorter than 16 characters.")]
    [InlineData("Muse.GpuWorker", "MUSE_MAX_BATCH_SIZE", "0",
        "Engine:MaxBatchSize must be between 1 and 256 (MUSE_MAX_BATCH_SIZE sets it).")]
    [InlineData("Muse.GpuWorker", "Engine__Mode", "sometimes", "Engine:Mode must be Continuous or Static; it is 'sometimes'.")]
    [InlineData("Muse.GpuWorker", "MUSE_MODEL", "/no-such-model",
        "/no-such-model: there is no such folder; MUSE_MODEL is to name one with a model_index.json.")]
    [InlineData("Muse.GpuWorker", "MUSE_GPU_TYPE", "abacus",
        "Worker:Device (MUSE_GPU_TYPE): There is no device 'abacus'; it can be auto, cpu, cuda, tensorrt, "
        + "plugin:/path/to/library, or simulated:base=40ms,picture=10ms.")]
    [InlineData("Muse.Api", "ObjectStore__Bucket", "Images",
        "ObjectStore:Bucket must have 3 to 63 lower-case letters, digits, dots and hyphens.")]
    [InlineData("Muse.Api", "ObjectStore__Prefix", "muse",
        "ObjectStore:Prefix must have letters, digits, '_', '.', '-' and '/', and end with '/'.")]
    [InlineData("Muse.Api", "ObjectStore__Endpoint", "minio:9000",
        "ObjectStore:Endpoint must be an address such as https://s3.example.com:9000, with http or https and without a path; it is "
        + "'minio:9000'.")]
    [InlineData("Muse.GpuWorker", "ObjectStore__Endpoint", "http://127.0.0.1:9000",
        "ObjectStore:Endpoint is set and ObjectStore:Bucket is not. Set both, or neither.")]
    [InlineData("Muse.GpuWorker", "ObjectStore__SecretKey", "secret",
        "One of ObjectStore:AccessKey and ObjectStore:SecretKey is set. Set both, or neither.")]
    [InlineData("Muse.Api", "Queue__WaitReplicas", "6", "Queue:WaitReplicas must be between 0 and 5.")]
    [InlineData("Muse.Autoscaler", "MUSE_AUTOSCALE_INTERVAL", "-30",
        "Autoscaler:Interval must be between 00:00:01 and 01:00:00 (MUSE_AUTOSCALE_INTERVAL sets it).")]
    [InlineData("Muse.Autoscaler", "MUSE_AUTOSCALE_INTERVAL", "soon",
        "Autoscaler:Interval must be a duration such as 00:00:30, from 00:00:01 to 01:00:00; it is 'soon' "
        + "(MUSE_AUTOSCALE_INTERVAL sets it).")]
    [InlineData("Muse.Autoscaler", "MUSE_AUTOSCALE_INTERVAL", "240",
        "Autoscaler:StabilisationWindow must be between Interval, which is 00:04:00, and 01:00:00; it is "
        + "00:03:00.")] // A bare number is seconds.
    [InlineData("Muse.Autoscaler", "MUSE_AUTOSCALE_POLICY", "magic",
        "Autoscaler:Policy must be drain or step (MUSE_AUTOSCALE_POLICY sets it).")]
    [InlineData("Muse.Autoscaler", "MUSE_MIN_WORKERS", "5",
        "Autoscaler:MinWorkers must be between 0 and MaxWorkers, which is 4; it is 5 (MUSE_MIN_WORKERS sets it).")]
    public async Task A_wrong_setting_stops_the_program_with_one_sentence_that_names_it_and_what_is_allowed(
        string program, string setting, string value, string sentence)
    {
        await using var process = new ProgramProcess(program,
            ("ConnectionStrings__redis", NoRedis), ("Logging__LogLevel__Default", "Warning"), (setting, value));
        await process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(3)).Token);
        Assert.Equal(1, process.ExitCode);
        Assert.Equal($"{program} can't start: {sentence}", process.Output.TrimEnd());
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
