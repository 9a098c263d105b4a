using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Muse.Queue;
using Muse.Tests.Api;
using StackExchange.Redis;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>The page at <c>/ops</c>, in a real browser, over the real API and a real Redis.</summary>
[Collection(nameof(Browser))]
public sealed class OpsPageTests(Browser browser)
{
    [SkippableFact]
    public async Task Each_place_of_a_batch_shows_its_image_and_that_images_step()
    {
        await using var server = await ApiServer.StartAsync(null, withoutWorker: true);
        await using var visit = await browser.VisitAsync(server.Address, withMotion: true);
        await visit.Page.GotoAsync("/ops");
        await Expect(visit.Page.Locator("#live")).ToHaveTextAsync("Live");
        await Expect(visit.Page.Locator("#workers")).ToContainTextAsync("No worker is up");
        var taken = visit.Page.Locator(".slot.taken");
        for (var images = 0; images <= 12; images += 4)
        {
            await SendHeartbeatAsync(server, images);
            await Expect(taken).ToHaveCountAsync(images);
        }
        await Expect(visit.Page.Locator(".slot")).ToHaveCountAsync(12);
        await Expect(visit.Page.Locator(".slot .step")).ToHaveTextAsync([.. Enumerable.Range(1, 12).Select(step => $"{step}")]);
        await Expect(visit.Page.Locator(".slot .hidden").Nth(2)).ToHaveTextAsync("place 3: image 1 of job job2, step 3 of 20");
        await Expect(visit.Page.Locator("#busy")).ToHaveTextAsync("12");
        await Expect(visit.Page.Locator(".worker")).ToContainTextAsync("simulated");
        await SendHeartbeatAsync(server, 5);
        await Expect(taken).ToHaveCountAsync(5);
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task Waiting_requests_are_counted_live()
    {
        await using var server = await ApiServer.StartAsync(null, withoutWorker: true);
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/ops");
        await Expect(visit.Page.Locator("#waiting")).ToHaveTextAsync("0");
        using (var response = await SubmitAsync(3))
            Assert.True(response.IsSuccessStatusCode);
        await Expect(visit.Page.Locator("#waiting")).ToHaveTextAsync("3");
        await Expect(visit.Page.Locator("#oldest")).ToContainTextAsync("the oldest for");
        visit.AssertNoProblems();

        Task<HttpResponseMessage> SubmitAsync(int images) =>
            server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a boat", n = images });
    }

    [SkippableFact]
    public async Task The_latest_decision_is_shown_with_its_reason_and_the_earlier_ones()
    {
        await using var server = await ApiServer.StartAsync(null, withoutWorker: true);
        var fleet = server.Services.GetRequiredService<Fleet>();
        var at = DateTimeOffset.UtcNow;
        await StoreDecisionAsync(1, "Nothing waits.", at.AddSeconds(-30));
        await StoreDecisionAsync(3, "40 <b>images</b> wait.", at);
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/ops");
        await Expect(visit.Page.Locator("#decision")).ToContainTextAsync("3 workers wanted");
        await Expect(visit.Page.Locator("#decision .why")).ToHaveTextAsync("40 <b>images</b> wait.");
        await Expect(visit.Page.Locator("#decisions li")).ToHaveCountAsync(1);
        await Expect(visit.Page.Locator("#decisions")).ToContainTextAsync("Nothing waits.");
        visit.AssertNoProblems();

        async Task StoreDecisionAsync(int workers, string reason, DateTimeOffset when)
        {
            var lease = await fleet.LeadAsync("autoscaler", TimeSpan.FromHours(1), default);
            Assert.True(await fleet.StoreDecisionAsync(new(workers, reason, when, "drain", new(0, 0, null, 0, 0, when)), lease!, default));
        }
    }

    [SkippableFact]
    public async Task A_dead_letter_can_be_requeued()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.SubmitAsync("explode");
        await Expect(visit.Status).ToHaveTextAsync("Not generated");
        await using (var redis = await ConnectionMultiplexer.ConnectAsync(server.Redis.ConnectionString))
        {
            await redis.GetDatabase().StreamAddAsync("muse:{scenes}:dead",
            [
                new("job", server.Worker!.Seen.Single().Id),
                new("index", 0),
                new("lane", "interactive"),
                new("entry", "1-1"),
                new("reason", "Workers crashed on it 3 times."),
            ]);
        }

        await visit.Page.GotoAsync("/ops");
        await Expect(visit.Page.Locator("#dead")).ToContainTextAsync("Workers crashed on it 3 times.");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Requeue" }).ClickAsync();
        await Expect(visit.Page.Locator("#dead")).ToContainTextAsync("nothing has been given up");
        await Eventually.IsTrueAsync(() => server.Worker.Seen.Count == 2, "the image is tried again");
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task The_page_asks_for_an_operators_key_and_rejects_a_callers()
    {
        const string keys = "ada:a-secret-of-ada-1815,grace:a-secret-of-grace-1906:operator";
        await using var server =
            await ApiServer.StartAsync(new FlatImageWorkerOptions(), new Dictionary<string, string> { ["Api:Keys"] = keys });
        await using var visit = await browser.VisitAsync(server.Address);
        visit.AllowConsoleErrors("401 (Unauthorized)", "403 (Forbidden)");
        await visit.Page.GotoAsync("/ops");
        await EnterAsync("a-secret-of-ada-1815");
        await Expect(visit.Page.Locator("#key-why")).ToContainTextAsync("operator");
        await EnterAsync("a-secret-of-grace-1906");
        await Expect(visit.Page.Locator("#live")).ToHaveTextAsync("Live");
        visit.AssertNoProblems();

        async Task EnterAsync(string key)
        {
            await visit.Page.GetByLabel("Key", new() { Exact = true }).FillAsync(key);
            await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Use this key" }).ClickAsync();
        }
    }

    [SkippableFact]
    public async Task Without_the_script_of_the_charts_the_figures_are_shown_as_text()
    {
        await using var server = await ApiServer.StartAsync(null, withoutWorker: true);
        await using var visit = await browser.VisitAsync(server.Address);
        visit.AllowConsoleErrors("ERR_FAILED");
        await visit.Page.RouteAsync("**/uPlot.iife.min.js", route => route.AbortAsync());
        await visit.Page.GotoAsync("/ops");
        await SendHeartbeatAsync(server, 7);
        await Expect(visit.Page.Locator(".slot.taken")).ToHaveCountAsync(7);
        await Expect(visit.Page.Locator("#charts-note")).ToContainTextAsync("could not be loaded");
        await Expect(visit.Page.Locator("#charts")).ToContainTextAsync("now 0, at most 0, at least 0");
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task The_last_hour_is_drawn()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/ops");
        await Expect(visit.Page.Locator("#charts canvas")).ToHaveCountAsync(4);
        await Expect(visit.Page.Locator("#charts-note")).ToBeEmptyAsync();
        visit.AssertNoProblems();
    }

    /// <summary>Sends a worker's heartbeat with this many images in its batch, each of its own job, at steps 1, 2, 3 and so on.</summary>
    static Task SendHeartbeatAsync(ApiServer server, int images)
    {
        var now = DateTimeOffset.UtcNow;
        return server.Services.GetRequiredService<Fleet>().SendHeartbeatAsync(new()
        {
            Worker = "worker-1",
            State = WorkerState.Ready,
            Device = "a simulated device (40 ms a step and 10 ms an image)",
            StartedAt = now.AddMinutes(-5),
            At = now,
            Slots = 12,
            Batch = [.. Enumerable.Range(0, images).Select(place => new BatchSlot(place, $"job{place}", 0, place + 1, 20))],
        }, default);
    }
}
