using System.Net.Http.Json;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using StackExchange.Redis;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

/// <summary>
/// A Redis that the operator brings: ACL users, passwords, TLS, URIs, protocols. It works, or a sentence says what is missing.
/// </summary>
public sealed class ForeignRedisTests
{
    [RedisFact]
    public async Task All_of_Muse_runs_with_the_permissions_that_the_documentation_lists()
    {
        await using var redis = await RedisServer.StartAsync();
        var lines = await File.ReadAllLinesAsync(Path.Combine(Repository.Root, "docs", "queue.md"));
        var rule = lines.Single(line => line.StartsWith("ACL SETUSER muse ", StringComparison.Ordinal));
        await ExecuteAsync(redis, rule);
        var uri = $"redis://muse:secret@127.0.0.1:{redis.Port}";
        var (api, worker, autoscaler) = (FreeAddress(), FreeAddress(), FreeAddress());
        await using var apiProgram = new ProgramProcess("Muse.Api",
            ("ConnectionStrings__redis", uri), ("ASPNETCORE_URLS", api), ("MUSE_RATE_LIMITS", "false"));
        await using var workerProgram = new ProgramProcess("Muse.GpuWorker",
            ("ConnectionStrings__redis", uri), ("ASPNETCORE_URLS", worker), ("MUSE_GPU_TYPE", "simulated:base=200ms,picture=1ms"));
        await using var autoscalerProgram = new ProgramProcess("Muse.Autoscaler",
            ("ConnectionStrings__redis", uri), ("ASPNETCORE_URLS", autoscaler), ("MUSE_AUTOSCALE_INTERVAL", "1"));
        using var client = new HttpClient();
        foreach (var address in (string[])[api, worker, autoscaler])
            await OkAsync(() => client.GetAsync($"{address}/health"));

        using var finished = await client.PostAsJsonAsync($"{api}/v1/images/generations", new { prompt = "a fox", n = 2 });
        Assert.True(finished.IsSuccessStatusCode, await finished.Content.ReadAsStringAsync());
        using var previewed = await client.PostAsJsonAsync($"{api}/v1/images/generations",
            new { prompt = "a fox", stream = true, partial_images = 2 });
        Assert.Contains("image_generation.completed", await previewed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var accepted = await client.PostAsJsonAsync($"{api}/v1/generations", new { prompt = "a fox" });
        Assert.True(accepted.IsSuccessStatusCode, await accepted.Content.ReadAsStringAsync());
        using var cancelled = await client.DeleteAsync(new Uri(new Uri(api), accepted.Headers.Location!));
        Assert.True(cancelled.IsSuccessStatusCode, await cancelled.Content.ReadAsStringAsync());
        using var list = await client.GetAsync($"{api}/v1/generations");
        Assert.True(list.IsSuccessStatusCode);

        // Redis logs what it denied. The client's handshake tries these; Muse needs none of them.
        string[] handshake = ["__Booksleeve_MasterChanged", "__Booksleeve_TieBreak", "cluster|nodes", "cluster|slots", "config|get"];
        var log = (RedisResult[])(await ExecuteAsync(redis, "ACL LOG 100"))!;
        Assert.DoesNotContain(log, entry => !handshake.Contains((string?)entry.ToDictionary()["object"]));
        foreach (var program in (ProgramProcess[])[apiProgram, workerProgram, autoscalerProgram])
        {
            program.Terminate();
            await program.WaitForExitAsync(Limit());
            Assert.Equal(0, program.ExitCode);
            Assert.DoesNotContain("NOPERM", program.Output, StringComparison.Ordinal);
        }
    }

    [RedisTheory]
    [InlineData("resetchannels", "&muse:*")]
    [InlineData("resetkeys ~other:*", "~muse:*")]
    [InlineData("-evalsha -eval", "a command that Muse needs")]
    [InlineData("-xreadgroup", "a command that Muse needs")]
    [InlineData("-rename", "a command that Muse needs")]
    [InlineData("-zrevrangebylex", "a command that Muse needs")]
    [InlineData("-publish", "a command that Muse needs")]
    [InlineData("-subscribe", "a command that Muse needs")]
    public async Task A_missing_permission_is_told_in_a_sentence_that_names_it(string change, string named)
    {
        await using var fixture = await QueueFixture.StartAsync();
        await ExecuteAsync(fixture.Redis, $"ACL SETUSER muse on >secret ~muse:* &muse:* +@all {change}");
        fixture.ConnectionString = $"redis://muse:secret@127.0.0.1:{fixture.Redis.Port}";
        var sentence = await fixture.Start().Connection.FindUnsupportedAsync();
        Assert.StartsWith("The Redis user has no permission for ", sentence, StringComparison.Ordinal);
        Assert.Contains(named, sentence, StringComparison.Ordinal);
    }

    [RedisTheory]
    [InlineData("127.0.0.1:{0}", "Redis requires a password, and ConnectionStrings:redis has none.")]
    [InlineData("127.0.0.1:{0},password=wrong", "Redis refuses the user or the password in ConnectionStrings:redis.")]
    [InlineData("redis://:wrong@127.0.0.1:{0}", "Redis refuses the user or the password in ConnectionStrings:redis.")]
    [InlineData("redis://nobody:secret@127.0.0.1:{0}", "Redis refuses the user or the password in ConnectionStrings:redis.")]
    [InlineData("127.0.0.1:{0},user=nobody,password=secret,protocol=resp3",
        "Redis refuses the user or the password in ConnectionStrings:redis.")]
    public async Task A_wrong_user_or_password_is_told_in_a_sentence(string connectionString, string sentence)
    {
        await using var fixture = await QueueFixture.StartAsync();
        await ExecuteAsync(fixture.Redis, "CONFIG SET requirepass secret");
        fixture.ConnectionString = connectionString.Replace("{0}", $"{fixture.Redis.Port}", StringComparison.Ordinal);
        Assert.Equal(sentence, await fixture.Start().Connection.FindUnsupportedAsync());
    }

    [RedisTheory]
    [InlineData("redis://muse:secret@127.0.0.1:{0}",
        "The Redis user has no permission for Muse's channels. Grant it &muse:* (docs/queue.md lists all permissions).")]
    [InlineData("redis://muse:wrong@127.0.0.1:{0}", "Redis refuses the user or the password in ConnectionStrings:redis.")]
    public async Task A_Redis_that_refuses_Muse_stops_a_program_with_one_sentence(string connectionString, string sentence)
    {
        await using var redis = await RedisServer.StartAsync();
        await ExecuteAsync(redis, "ACL SETUSER muse on >secret ~muse:* &muse:* +@all resetchannels");
        await ExecuteAsync(redis, "CONFIG SET requirepass secret");
        await using var program = new ProgramProcess("Muse.Api",
            ("ConnectionStrings__redis", connectionString.Replace("{0}", $"{redis.Port}", StringComparison.Ordinal)),
            ("Logging__LogLevel__Default", "Warning"));
        await program.WaitForExitAsync(Limit());
        Assert.Equal((1, $"Muse.Api can't start: {sentence}"), (program.ExitCode, program.Output.TrimEnd()));
    }

    [RedisFact]
    public async Task A_permission_that_is_taken_away_makes_the_queue_unavailable_and_unhealthy_until_it_is_back()
    {
        await using var fixture = await QueueFixture.StartAsync();
        await ExecuteAsync(fixture.Redis, "ACL SETUSER muse on >secret ~muse:* &muse:* +@all");
        fixture.ConnectionString = $"redis://muse:secret@127.0.0.1:{fixture.Redis.Port}";
        var api = fixture.Start(("ReadinessGrace", "00:00:00"));
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        Assert.Equal(HealthStatus.Healthy, (await api.HealthAsync()).Status);

        await ExecuteAsync(fixture.Redis, "ACL SETUSER muse resetchannels");
        var thrown = await EventuallyAsync(() => Record.ExceptionAsync(() => api.Jobs.SubmitAsync(Job(), null, Limit())),
            exception => exception?.Message.Contains("&muse:*") == true);
        Assert.IsType<QueueUnavailableException>(thrown);
        Assert.Equal(HealthStatus.Unhealthy, (await api.HealthAsync()).Status);

        await ExecuteAsync(fixture.Redis, "ACL SETUSER muse &muse:*");
        await EventuallyAsync(() => api.HealthAsync(), report => report.Status == HealthStatus.Healthy);
    }

    [RedisTheory]
    [InlineData("redis://:secret@127.0.0.1:{0}")]
    [InlineData("redis://default:secret@127.0.0.1:{0}/3")]
    [InlineData("127.0.0.1:{0},password=secret")]
    [InlineData("127.0.0.1:{0},password=secret,protocol=resp3")]
    [InlineData("127.0.0.1:{0},password=secret,defaultDatabase=5,abortConnect=true,name=muse")]
    public async Task A_job_is_completed_over_it_and_it_is_healthy(string connectionString)
    {
        await using var fixture = await QueueFixture.StartAsync();
        await ExecuteAsync(fixture.Redis, "CONFIG SET requirepass secret");
        fixture.ConnectionString = connectionString.Replace("{0}", $"{fixture.Redis.Port}", StringComparison.Ordinal);
        var (api, worker) = (fixture.Start(), fixture.Start());
        Assert.Null(await api.Connection.FindUnsupportedAsync());
        Assert.Equal(HealthStatus.Healthy, (await api.HealthAsync()).Status);
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        var waiting = api.Jobs.WaitWithImagesAsync(job, Limit());
        await worker.Work.CompleteAsync((await worker.Work.TakeAsync(1)).Single(), Finished("red"), Limit());
        Assert.Equal("red", (await waiting)!.Images[0]!.Text());
        await worker.Fleet.SendHeartbeatAsync(FleetTests.Beat("w1", 1.5), Limit());
        Assert.Single(await api.Fleet.WorkersAsync(Limit()));
    }

    [RedisFact]
    public async Task A_rediss_URI_connects_with_TLS()
    {
        using var certificate = new RedisCertificate();
        var port = RedisServer.FreePort();
        await using var redis = await RedisServer.StartAsync(certificate.RedisArguments(port));
        var api = FreeAddress();
        await using var program = new ProgramProcess("Muse.Api", ("ConnectionStrings__redis", $"rediss://127.0.0.1:{port}"),
            ("SSL_CERT_FILE", certificate.CertificateFile), ("ASPNETCORE_URLS", api));
        using var client = new HttpClient();
        await OkAsync(() => client.GetAsync($"{api}/health"));
        using var accepted = await client.PostAsJsonAsync($"{api}/v1/generations", new { prompt = "a fox" });
        Assert.True(accepted.IsSuccessStatusCode, await accepted.Content.ReadAsStringAsync());
    }

    [RedisFact]
    public async Task A_connection_string_that_can_not_work_is_an_error_of_the_settings()
    {
        await using var fixture = await QueueFixture.StartAsync();
        fixture.ConnectionString = $"127.0.0.1:{fixture.Redis.Port},channelPrefix=app1:";
        var error = Assert.Throws<OptionsValidationException>(() => fixture.Start());
        Assert.Contains("sets channelPrefix", error.Message, StringComparison.Ordinal);
    }

    static string FreeAddress() => $"http://127.0.0.1:{RedisServer.FreePort()}";

    static Task OkAsync(Func<Task<HttpResponseMessage>> ask) => EventuallyAsync(async () =>
    {
        try
        {
            using var response = await ask();
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false; // The program is starting.
        }
    }, succeeded => succeeded);

    static async Task<RedisResult> ExecuteAsync(RedisServer redis, string command)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{redis.Port},allowAdmin=true");
        var words = command.Split(' ');
        return await connection.GetDatabase().ExecuteAsync(words[0], [.. words[1..]]);
    }
}
