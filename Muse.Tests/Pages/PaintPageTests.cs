using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Muse.Tests.Api;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>The page at <c>/</c>, in a real browser, over the real API, a real Redis and a worker whose images have one colour.</summary>
[Collection(nameof(Browser))]
public sealed partial class PaintPageTests(Browser browser)
{
    [SkippableFact]
    public async Task A_prompt_becomes_an_image_and_the_page_shows_its_progress()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions { Steps = 4 });
        await using var visit = await browser.VisitAsync(server.Address, withMotion: true);
        await visit.Page.GotoAsync("/");
        await visit.SubmitAsync("hold a large red star at night");

        await Expect(visit.Status).ToHaveTextAsync("Generating: step 1 of 4");
        await Expect(visit.Page.GetByRole(AriaRole.Progressbar)).ToHaveAttributeAsync("aria-valuenow", "25");
        await Expect(visit.Page.Locator("#announcer")).ToHaveTextAsync("Generation has started");
        await Expect(visit.Page.Locator("#current-job img.preview")).ToHaveJSPropertyAsync("naturalWidth", 32);
        server.Worker!.Release();
        await visit.ExpectFinishedAsync();

        await Expect(visit.Page.GetByRole(AriaRole.Progressbar)).ToBeHiddenAsync();
        await Expect(visit.GalleryItems).ToHaveCountAsync(1);
        await Expect(visit.Page.Locator("#current-job .job-info .words")).ToHaveTextAsync("hold a large red star at night");
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task A_waiting_job_shows_its_position_until_it_is_cancelled()
    {
        await using var server = await ApiServer.StartAsync(null, withoutWorker: true);
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.SubmitAsync("a first image");
        await Expect(visit.Status).ToContainTextAsync("Next in the queue");
        await visit.SubmitAsync("a second image");
        await Expect(visit.Status).ToContainTextAsync("Position 2 in the queue");
        await visit.GalleryItems.Last.ClickAsync();
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Expect(visit.Status).ToHaveTextAsync("Cancelled");
        await visit.GalleryItems.First.ClickAsync();
        await Expect(visit.Status).ToContainTextAsync("Next in the queue");
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task A_running_image_can_be_cancelled_and_its_worker_stops_it()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.SubmitAsync("hold a boat on the sea");
        await Expect(visit.Status).ToHaveTextAsync("Generating: step 1 of 4");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Expect(visit.Status).ToHaveTextAsync("Cancelled");
        await Expect(visit.Page.Locator("#announcer")).ToHaveTextAsync("Cancelled");
        await Expect(visit.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel" })).ToBeHiddenAsync();
        await Eventually.IsTrueAsync(() => server.Worker!.Cancelled == 1, "the worker stops generating it");
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task A_failed_image_shows_its_error_and_can_be_tried_again()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.SubmitAsync("explode");
        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("The engine fell over.");
        await Expect(visit.Status).ToHaveTextAsync("Not generated");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await Expect(visit.GalleryItems).ToHaveCountAsync(2);
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task A_rejected_request_shows_at_the_field_what_is_allowed()
    {
        await using var server =
            await ApiServer.StartAsync(new FlatImageWorkerOptions(), new Dictionary<string, string> { ["Api:RefusedWords"] = "forbidden" });
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.PaintButton.ClickAsync();
        await Expect(visit.Page.Locator("#prompt-error")).ToContainTextAsync("Write what you would like to see");
        await Expect(visit.PromptField).ToBeFocusedAsync();

        visit.AllowConsoleErrors("400 (Bad Request)");
        await visit.SubmitAsync("a forbidden thing");
        await Expect(visit.Page.Locator("#prompt-error")).ToContainTextAsync("does not allow");
        await Expect(visit.PromptField).ToHaveAttributeAsync("aria-invalid", "true");
        await visit.PromptField.FillAsync("a boat");
        await Expect(visit.Page.Locator("#prompt-error")).ToBeEmptyAsync();

        await visit.Page.GetByLabel("Other").CheckAsync(new() { Force = true });
        await visit.Page.GetByLabel("Width").FillAsync("100");
        await visit.PaintButton.ClickAsync();
        await Expect(visit.Page.Locator("#size-error")).ToContainTextAsync("multiples of 8 from 64 to 512");
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task After_a_reload_the_gallery_is_the_same_and_the_running_job_is_followed()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        foreach (var prompt in (string[])["the first", "the second"])
        {
            await visit.SubmitAsync(prompt);
            await visit.ExpectFinishedAsync();
            await Expect(visit.Page.Locator("#current-job .job-info .words")).ToHaveTextAsync(prompt);
        }
        await visit.SubmitAsync("hold the third");
        await Expect(visit.Status).ToHaveTextAsync("Generating: step 1 of 4");

        await visit.Page.ReloadAsync();
        await Expect(visit.GalleryItems.Locator(".words")).ToHaveTextAsync(["hold the third", "the second", "the first"]);
        await Expect(visit.Status).ToHaveTextAsync("Generating: step 1 of 4");
        server.Worker!.Release();
        await visit.ExpectFinishedAsync();
        await Expect(visit.Page.Locator("#gallery-list img.finished")).ToHaveCountAsync(3);
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task After_a_429_the_request_shows_as_waiting_and_is_sent_again_after_Retry_After()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions(), new Dictionary<string, string>
        {
            ["Api:RateLimits:Enabled"] = "true",
            ["Api:RateLimits:AnonymousRequests"] = "1",
            ["Api:RateLimits:AnonymousWindow"] = "00:00:15",
            ["Api:TrustedProxies"] = "127.0.0.1",
        });
        await using var visit = await browser.VisitAsync(server.Address);
        // A local request has operator rights and is not limited, so the request must look forwarded.
        await visit.Page.SetExtraHTTPHeadersAsync(new Dictionary<string, string> { ["X-Forwarded-For"] = "203.0.113.7" });
        visit.AllowConsoleErrors("429 (Too Many Requests)");
        await visit.Page.GotoAsync("/");
        await visit.SubmitAsync("the first");
        await visit.ExpectFinishedAsync();
        await visit.SubmitAsync("the second");
        await Expect(visit.Status).ToContainTextAsync(NextTry());
        await Expect(visit.Page.Locator("#announcer")).ToContainTextAsync("Muse is busy. Your request waits");
        await visit.ExpectFinishedAsync();
        await Expect(visit.GalleryItems).ToHaveCountAsync(2);
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task While_Redis_is_unreachable_the_request_shows_as_waiting()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        visit.AllowConsoleErrors("503 (Service Unavailable)");
        await visit.Page.GotoAsync("/");
        await Expect(visit.Page.GetByLabel("Steps")).ToHaveValueAsync("20");
        await server.Redis.KillAsync();
        await visit.SubmitAsync("a boat");
        await Expect(visit.Status).ToContainTextAsync("Your request waits");
        await server.Redis.LaunchAsync();
        await Expect(visit.Status).Not.ToContainTextAsync("Your request waits");
        await Expect(visit.GalleryItems).ToHaveCountAsync(1);
    }

    [SkippableFact]
    public async Task A_request_that_waits_can_be_given_up()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        visit.AllowConsoleErrors("429 (Too Many Requests)");
        await visit.Page.GotoAsync("/");
        await visit.Page.RouteAsync("**/v1/generations", async route =>
        {
            if (route.Request.Method == "POST")
                await route.FulfillAsync(new() { Status = 429, Headers = new Dictionary<string, string> { ["Retry-After"] = "600" } });
            else
                await route.ContinueAsync();
        });
        await visit.SubmitAsync("a boat");
        await Expect(visit.Status).ToContainTextAsync(NextTry());
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Stop trying" }).ClickAsync();
        await Expect(visit.CurrentJob).ToContainTextAsync("An empty easel");
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task Again_with_this_seed_fills_the_form_with_the_settings_that_give_the_same_image()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.Page.GetByLabel("Leave out").FillAsync("clouds");
        await visit.Page.GetByLabel("192 × 128").CheckAsync(new() { Force = true });
        await visit.Page.GetByLabel("Steps").FillAsync("33");
        await visit.Page.GetByLabel("Guidance").FillAsync("7.5");
        await visit.Page.GetByLabel("Sampler").SelectOptionAsync("euler");
        await visit.Page.GetByLabel("Images", new() { Exact = true }).FillAsync("2");
        await visit.SubmitAsync("a boat");
        await visit.ExpectFinishedAsync();
        await Expect(visit.FinishedImages).ToHaveCountAsync(2);
        Assert.Equal("192", await visit.FinishedImages.First.EvaluateAsync<string>("image => String(image.naturalWidth)"));
        var first = server.Worker!.Seen.First();

        await visit.Page.ReloadAsync();
        await visit.GalleryItems.First.ClickAsync();
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Again with this seed" }).Nth(1).ClickAsync();
        await visit.PaintButton.ClickAsync();
        await Eventually.IsTrueAsync(() => server.Worker.Seen.Count >= 3, "the second request arrives");

        var again = server.Worker.Seen.Last();
        var expected = first with { Count = 1, Seed = first.Seed + 1 };
        Assert.Equal(expected with { Id = again.Id, CreatedAt = again.CreatedAt, TraceParent = again.TraceParent }, again);
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task An_image_can_be_downloaded_and_its_link_works_without_a_key()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.Context.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        await visit.Page.GotoAsync("/");
        await visit.SubmitAsync("a boat");
        await visit.ExpectFinishedAsync();

        var button = visit.Page.GetByRole(AriaRole.Button, new() { Name = "Download" });
        var download = await visit.Page.RunAndWaitForDownloadAsync(() => button.ClickAsync());
        Assert.Matches(@"^muse-\d+\.png$", download.SuggestedFilename);

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Copy link" }).ClickAsync();
        await Expect(visit.Page.Locator("#announcer")).ToContainTextAsync("link is copied");
        var link = await visit.Page.EvaluateAsync<string>("navigator.clipboard.readText()");
        using var otherClient = new HttpClient();
        Assert.Equal("image/png", (await otherClient.GetAsync(link)).Content.Headers.ContentType?.MediaType);
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task Surprise_me_submits_a_random_prompt()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Surprise me" }).ClickAsync();
        await visit.ExpectFinishedAsync();
        await Expect(visit.PromptField).ToHaveValueAsync(SomeWords());
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task Everything_can_be_done_by_keyboard()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await Expect(visit.PromptField).ToBeFocusedAsync();
        await visit.Page.Keyboard.TypeAsync("hold a boat");
        await visit.Page.Keyboard.PressAsync("Control+Enter");
        await Expect(visit.Status).ToHaveTextAsync("Generating: step 1 of 4");
        await FocusAsync(visit, "Cancel");
        await visit.Page.Keyboard.PressAsync("Enter");
        await Expect(visit.Status).ToHaveTextAsync("Cancelled");

        await visit.PromptField.FocusAsync();
        await visit.Page.Keyboard.PressAsync("Control+A");
        await visit.Page.Keyboard.TypeAsync("a fish");
        await FocusAsync(visit, "Paint");
        await visit.Page.Keyboard.PressAsync("Space");
        await visit.ExpectFinishedAsync();
        await FocusAsync(visit, "Again with this seed");
        await visit.Page.Keyboard.PressAsync("Enter");
        await Expect(visit.PromptField).ToBeFocusedAsync();
        await FocusAsync(visit, "a fish");
        await visit.Page.Keyboard.PressAsync("Enter");
        await Expect(visit.CurrentJob).ToBeFocusedAsync();
        visit.AssertNoProblems();
    }

    /// <summary>Presses Tab until the focused element starts with this text.</summary>
    static async Task FocusAsync(Visit visit, string text)
    {
        for (var pressed = 0; pressed < 60; pressed++)
        {
            if (await visit.Page.EvaluateAsync<bool>(IsFocused, text))
                return;
            await visit.Page.Keyboard.PressAsync("Tab");
        }
        Assert.Fail($"'{text}' is not reached by the Tab key.");
    }

    const string IsFocused = """
        text => {
          const focused = document.activeElement;
          return focused !== document.body && focused.tagName !== "TEXTAREA" && focused.textContent.trim().startsWith(text);
        }
        """;

    public static TheoryData<string> HostilePrompts() => new()
    {
        "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script><style>*{display:none}</style>",
        "{{7*7}} ${7*7} %3Cscript%3E &lt;b&gt; \"'`; </textarea></dialog> javascript:alert(1)",
        string.Concat(Enumerable.Repeat("abcdefghi ", 1000)),
        new string('W', 10_000),
        "قارب أبيض في البحر عند الغروب <b>‮reversed‬</b> ונוף",
        "👩‍👩‍👧‍👦🏳️‍🌈 👍🏽 Z̷̢͑a̴̢̛l̶g̵o 𝕸𝖚𝖘𝖊 \u200b\u200d\u2028 \ud83c\udf05",
    };

    [SkippableTheory]
    [MemberData(nameof(HostilePrompts))]
    public async Task A_hostile_prompt_is_shown_unchanged_and_breaks_nothing(string prompt)
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address, width: 390, height: 844);
        await visit.Page.GotoAsync("/");
        await visit.SubmitAsync(prompt);
        await visit.ExpectFinishedAsync();
        await AssertShownAsync();
        await visit.Page.ReloadAsync();
        await visit.GalleryItems.First.ClickAsync();
        await Expect(visit.FinishedImages).ToHaveCountAsync(1);
        await AssertShownAsync();
        visit.AssertNoProblems();

        async Task AssertShownAsync()
        {
            var shown = visit.Page.Locator("#current-job .job-info .words");
            Assert.Equal(prompt, await shown.EvaluateAsync<string>("element => element.textContent"));
            Assert.Equal("Muse: paint", await visit.Page.TitleAsync());
            Assert.Equal(0, await visit.Page.Locator("main script, main style, main img[src=x]").CountAsync());
            await visit.FitsTheWidthAsync();
        }
    }

    [SkippableFact]
    public async Task If_the_API_needs_a_key_the_page_asks_for_it()
    {
        await using var server =
            await ApiServer.StartAsync(settings: new Dictionary<string, string> { ["Api:Keys"] = "ada:a-secret-of-ada-1815" });
        await using var visit = await browser.VisitAsync(server.Address);
        visit.AllowConsoleErrors("401 (Unauthorized)");
        await visit.Page.GotoAsync("/");
        await visit.Page.GetByLabel("Key", new() { Exact = true }).FillAsync("a-secret-of-ada-1815");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Use this key" }).ClickAsync();
        await visit.SubmitAsync("a boat");
        await visit.ExpectFinishedAsync();
        await visit.Page.ReloadAsync();
        await Expect(visit.Page.Locator("#gallery-list img.finished")).ToHaveCountAsync(1);
        await Expect(visit.Page.Locator("#gallery-list img.finished")).ToHaveJSPropertyAsync("complete", true);
        visit.AssertNoProblems();
    }

    [GeneratedRegex(@"Your request waits; next try in \d+ s")]
    private static partial Regex NextTry();

    [GeneratedRegex(@"\w+ \w+ \w+")]
    private static partial Regex SomeWords();
}
