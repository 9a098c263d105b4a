using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.Json;
using System.Text.RegularExpressions;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.AppHost;

/// <summary>The whole system as <c>./muse up</c> starts it, over real Aspire.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class AppHostTests
{
    [SkippableFact]
    public async Task One_start_gives_an_image_a_killed_worker_is_started_again_and_SIGTERM_ends_every_process()
    {
        await using var host = await AppHostProcess.StartAsync(("MUSE_MAX_WORKERS", "1"), ("Queue__Lease", "00:00:05"));
        using var answer = await host.Http.PostAsJsonAsync("v1/images/generations", new { prompt = "a red circle on a blue background" });
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var first = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("data")[0];
        var image = first.GetProperty("b64_json").GetBytesFromBase64();
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], image[..4]);
        var commands = host.Offspring().Select(Processes.Command).ToList();
        foreach (var program in (string[])
            ["Muse.AppHost", "dcp", "Aspire.Dashboard", "redis-server", "Muse.Api", "Muse.Autoscaler", "Muse.GpuWorker"])
        {
            Assert.Contains(commands, command => command.Contains(program, StringComparison.Ordinal));
        }

        // Without MUSE_HTTP_HOST, no other address of this machine answers.
        using var other = new HttpClient();
        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => other.GetAsync($"http://127.0.0.2:{host.HttpPort}/health"));
        Assert.Equal(HttpRequestError.ConnectionError, refused.HttpRequestError);

        var job = await host.SubmitAsync(images: 10, steps: 100);
        await host.UntilAsync(job, AppHostProcess.IsRunning);
        var killed = host.WorkerProcesses().Single();
        Signal.Kill.SendTo(killed);
        Assert.Equal("succeeded", AppHostProcess.State(await host.UntilAsync(job, AppHostProcess.HasEnded)));
        Assert.NotEqual(killed, host.WorkerProcesses().Single());
        Assert.Contains("worker-0 ended unexpectedly", host.Output);

        host.Send(Signal.Terminate);
        await host.WaitForExitAsync();
        Assert.Equal(0, host.ExitCode);
        await host.AllProcessesEndAsync();
    }

    [SkippableFact]
    public async Task A_proxy_of_the_user_does_not_keep_Muse_from_starting_at_another_address()
    {
        string[] variables = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
        await using var host = await AppHostProcess.StartAsync([
            .. variables.Select(name => (name, (string?)"http://127.0.0.1:9")), ("no_proxy", null), ("NO_PROXY", null),
            ("MUSE_HTTP_HOST", "127.0.0.2"), ("MUSE_MAX_WORKERS", "1")]);
        using var answer = await host.Http.PostAsJsonAsync("v1/images/generations", new { prompt = "a red circle" });
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using var health = await host.Http.GetAsync("health");
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
    }

    [Fact]
    public async Task Without_any_Redis_one_sentence_says_how_to_get_one()
    {
        await using var host = AppHostProcess.Launch(redisServerOnPath: false);
        await host.WaitForExitAsync();
        Assert.Equal(1, host.ExitCode);
        Assert.StartsWith("Muse can't start: Muse needs a Redis.", host.Output.Trim());
        Assert.DoesNotContain("   at ", host.Output);
    }

    [SkippableFact]
    public async Task A_port_that_is_taken_is_named_in_one_sentence_with_the_setting()
    {
        Skip.IfNot(RedisServer.IsAvailable, "There is no redis-server on the PATH: ./muse test installs one.");
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        await using var host = AppHostProcess.Launch(redisServerOnPath: true, ("MUSE_HTTP_PORT", $"{port}"));
        await host.WaitForExitAsync();
        Assert.Equal(1, host.ExitCode);
        Assert.Contains($"Muse can't start: Port {port} is in use.", host.Output);
        Assert.Contains("MUSE_HTTP_PORT", host.Output);
        Assert.DoesNotContain("   at ", host.Output);
    }

    [Fact]
    public async Task The_published_manifest_is_as_recorded()
    {
        using var folder = new TemporaryFolder();
        await using var host = AppHostProcess.Launch(redisServerOnPath: false,
            ["--operation", "publish", "--publisher", "manifest", "--output-path", $"{folder.Path}/manifest.json"]);
        await host.WaitForExitAsync();
        Assert.True(host.ExitCode == 0, host.Output);
        // Paths are relative to the folder of the manifest.
        var manifest = RelativePath().Replace(await File.ReadAllTextAsync($"{folder.Path}/manifest.json"), "../");
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "Muse.Tests/AppHost/manifest.json")), manifest);
    }

    [Theory]
    [InlineData("publish")]
    [InlineData("deploy")]
    public async Task What_Aspire_does_not_publish_is_said_in_one_sentence_that_names_the_chart(string step)
    {
        using var folder = new TemporaryFolder();
        await using var host = AppHostProcess.Launch(redisServerOnPath: false,
            ["--operation", "publish", "--step", step, "--output-path", folder.Path]);
        await host.WaitForExitAsync();
        Assert.Equal(1, host.ExitCode);
        Assert.Contains("Muse can't start: Aspire does not publish Muse.", host.Output);
        Assert.Contains("deploy/helm/muse", host.Output);
        Assert.DoesNotContain("   at ", host.Output);
    }

    [GeneratedRegex(@"(?<=""path"": "")\.\./.*(?=Muse\.\w+/Muse)")]
    private static partial Regex RelativePath();
}
