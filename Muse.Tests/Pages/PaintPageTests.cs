using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Muse.Tests.Api;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>The page at <c>/</c>, in a real browser, over the real API and a real Redis, with a worker that paints flat pictures.</summary>
[Collection(nameof(Browser))]
public sealed partial class PaintPageTests(Browser browser)
{
    [SkippableFact]
    public async Task A_picture_is_painted_from_a_prompt_with_progress_seen_on_the_way()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions { Steps = 4 });
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.PaintAsync("hold a large red star at night");

        await Expect(visit.Where).ToHaveTextAsync("Painting: step 1 of 4");
        await Expect(visit.Page.GetByRole(AriaRole.Progressbar)).ToHaveAttributeAsync("aria-valuenow", "25");
        await Expect(visit.Page.Locator("#announcer")).ToHaveTextAsync("Painting has begun");
        await Expect(visit.Page.Locator("#stage img.preview")).ToHaveJSPropertyAsync("naturalWidth", 32);
        server.Painter!.Release();
        await visit.ExpectPaintedAsync();

        await Expect(visit.Page.GetByRole(AriaRole.Progressbar)).ToBeHiddenAsync();
        await Expect(visit.Hung).ToHaveCountAsync(1);
        await Expect(visit.Page.Locator("#stage .placard .words")).ToHaveTextAsync("hold a large red star at night");
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task A_waiting_job_shows_its_position_and_leaves_when_cancelled()
    {
        await using var server = await ApiServer.StartAsync(null, withoutPainter: true);
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.PaintAsync("a first picture");
        await Expect(visit.Where).ToContainTextAsync("Next in the queue");
        await visit.PaintAsync("a second picture");
        await Expect(visit.Where).ToContainTextAsync("Position 2 in the queue");
        await visit.Hung.Last.ClickAsync();
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Expect(visit.Where).ToHaveTextAsync("Cancelled");
        await visit.Hung.First.ClickAsync();
        await Expect(visit.Where).ToContainTextAsync("Next in the queue");
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task A_running_picture_is_cancelled_and_leaves_its_worker()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.PaintAsync("hold a boat on the sea");
        await Expect(visit.Where).ToHaveTextAsync("Painting: step 1 of 4");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Expect(visit.Where).ToHaveTextAsync("Cancelled");
        await Expect(visit.Page.Locator("#announcer")).ToHaveTextAsync("Cancelled");
        await Expect(visit.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel" })).ToBeHiddenAsync();
        await Eventually.IsTrueAsync(() => server.Painter!.Cancelled == 1, "the worker stops painting it");
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task A_failed_picture_says_why_and_can_be_tried_again()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.PaintAsync("explode");
        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("The engine fell over.");
        await Expect(visit.Where).ToHaveTextAsync("Not painted");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();
        await Expect(visit.Hung).ToHaveCountAsync(2);
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task A_request_that_is_refused_says_at_the_field_what_is_allowed()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions(), new Dictionary<string, string> { ["Api:RefusedWords"] = "forbidden" });
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.Paint.ClickAsync();
        await Expect(visit.Page.Locator("#prompt-error")).ToContainTextAsync("Write what you would like to see");
        await Expect(visit.Prompt).ToBeFocusedAsync();

        visit.Expects("400 (Bad Request)");
        await visit.PaintAsync("a forbidden thing");
        await Expect(visit.Page.Locator("#prompt-error")).ToContainTextAsync("does not allow");
        await Expect(visit.Prompt).ToHaveAttributeAsync("aria-invalid", "true");
        await visit.Prompt.FillAsync("a boat");
        await Expect(visit.Page.Locator("#prompt-error")).ToBeEmptyAsync();

        await visit.Page.GetByLabel("Other").CheckAsync(new() { Force = true });
        await visit.Page.GetByLabel("Width").FillAsync("100");
        await visit.Paint.ClickAsync();
        await Expect(visit.Page.Locator("#size-error")).ToContainTextAsync("multiples of 8 from 64 to 512");
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task A_reload_keeps_the_gallery_newest_first_and_goes_on_with_what_is_being_painted()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        foreach (var prompt in (string[])["the first", "the second"])
        {
            await visit.PaintAsync(prompt);
            await visit.ExpectPaintedAsync();
            await Expect(visit.Page.Locator("#stage .placard .words")).ToHaveTextAsync(prompt);
        }
        await visit.PaintAsync("hold the third");
        await Expect(visit.Where).ToHaveTextAsync("Painting: step 1 of 4");

        await visit.Page.ReloadAsync();
        await Expect(visit.Hung.Locator(".words")).ToHaveTextAsync(["hold the third", "the second", "the first"]);
        await Expect(visit.Where).ToHaveTextAsync("Painting: step 1 of 4");
        server.Painter!.Release();
        await visit.ExpectPaintedAsync();
        await Expect(visit.Page.Locator("#wall img.painted")).ToHaveCountAsync(3);
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task Too_many_requests_show_as_waiting_and_are_sent_again_as_late_as_the_server_asks()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions(), new Dictionary<string, string>
        {
            ["Api:RateLimits:Enabled"] = "true",
            ["Api:RateLimits:AnonymousRequests"] = "1",
            ["Api:RateLimits:AnonymousWindow"] = "00:00:03",
            ["Api:TrustedProxies"] = "127.0.0.1",
        });
        await using var visit = await browser.VisitAsync(server.Address);
        // Somebody on this machine is its operator, and not limited.
        await visit.Page.SetExtraHTTPHeadersAsync(new Dictionary<string, string> { ["X-Forwarded-For"] = "203.0.113.7" });
        visit.Expects("429 (Too Many Requests)");
        await visit.Page.GotoAsync("/");
        await visit.PaintAsync("the first");
        await visit.ExpectPaintedAsync();
        await visit.PaintAsync("the second");
        await Expect(visit.Where).ToContainTextAsync(NextTry());
        await Expect(visit.Page.Locator("#announcer")).ToContainTextAsync("Muse is busy. Your request waits");
        await visit.ExpectPaintedAsync();
        await Expect(visit.Hung).ToHaveCountAsync(2);
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task A_queue_that_is_away_shows_as_waiting_until_it_is_back()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        visit.Expects("503 (Service Unavailable)");
        await visit.Page.GotoAsync("/");
        await Expect(visit.Page.GetByLabel("Steps")).ToHaveValueAsync("20");
        await server.Redis.KillAsync();
        await visit.PaintAsync("a boat");
        await Expect(visit.Where).ToContainTextAsync("Your request waits");
        await server.Redis.LaunchAsync();
        await Expect(visit.Where).Not.ToContainTextAsync("Your request waits");
        await Expect(visit.Hung).ToHaveCountAsync(1);
    }

    [SkippableFact]
    public async Task A_wish_that_waits_can_be_taken_back()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        visit.Expects("429 (Too Many Requests)");
        await visit.Page.GotoAsync("/");
        await visit.Page.RouteAsync("**/v1/generations", async route =>
        {
            if (route.Request.Method == "POST")
                await route.FulfillAsync(new() { Status = 429, Headers = new Dictionary<string, string> { ["Retry-After"] = "600" } });
            else
                await route.ContinueAsync();
        });
        await visit.PaintAsync("a boat");
        await Expect(visit.Where).ToContainTextAsync(NextTry());
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Stop trying" }).ClickAsync();
        await Expect(visit.Stage).ToContainTextAsync("An empty easel");
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task Again_with_this_seed_fills_the_form_with_everything_that_paints_the_same_picture()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.Page.GetByLabel("Leave out").FillAsync("clouds");
        await visit.Page.GetByLabel("192 × 128").CheckAsync(new() { Force = true });
        await visit.Page.GetByLabel("Steps").FillAsync("33");
        await visit.Page.GetByLabel("Guidance").FillAsync("7.5");
        await visit.Page.GetByLabel("Sampler").SelectOptionAsync("euler");
        await visit.Page.GetByLabel("Pictures", new() { Exact = true }).FillAsync("2");
        await visit.PaintAsync("a boat");
        await visit.ExpectPaintedAsync();
        await Expect(visit.Painted).ToHaveCountAsync(2);
        Assert.Equal("192", await visit.Painted.First.EvaluateAsync<string>("image => String(image.naturalWidth)"));
        var first = server.Painter!.Seen.First();

        await visit.Page.ReloadAsync();
        await visit.Hung.First.ClickAsync();
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Again with this seed" }).Nth(1).ClickAsync();
        await visit.Paint.ClickAsync();
        await Eventually.IsTrueAsync(() => server.Painter.Seen.Count >= 3, "the second request arrives");

        var again = server.Painter.Seen.Last();
        Assert.Equal(first with { Id = again.Id, CreatedAt = again.CreatedAt, TraceParent = again.TraceParent, Count = 1, Seed = first.Seed + 1 }, again);
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task A_picture_can_be_downloaded_and_its_link_opened_by_anyone()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.Context.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        await visit.Page.GotoAsync("/");
        await visit.PaintAsync("a boat");
        await visit.ExpectPaintedAsync();

        var download = await visit.Page.RunAndWaitForDownloadAsync(() => visit.Page.GetByRole(AriaRole.Button, new() { Name = "Download" }).ClickAsync());
        Assert.Matches(@"^muse-\d+\.png$", download.SuggestedFilename);

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Copy link" }).ClickAsync();
        await Expect(visit.Page.Locator("#announcer")).ToContainTextAsync("link is copied");
        var link = await visit.Page.EvaluateAsync<string>("navigator.clipboard.readText()");
        using var stranger = new HttpClient();
        Assert.Equal("image/png", (await stranger.GetAsync(link)).Content.Headers.ContentType?.MediaType);
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task Surprise_me_paints_a_prompt_of_its_own()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Surprise me" }).ClickAsync();
        await visit.ExpectPaintedAsync();
        await Expect(visit.Prompt).ToHaveValueAsync(SomeWords());
        visit.HadNoTrouble();
    }

    [SkippableFact]
    public async Task Everything_can_be_done_by_keyboard()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await Expect(visit.Prompt).ToBeFocusedAsync();
        await visit.Page.Keyboard.TypeAsync("hold a boat");
        await visit.Page.Keyboard.PressAsync("Control+Enter");
        await Expect(visit.Where).ToHaveTextAsync("Painting: step 1 of 4");
        await FocusAsync(visit, "Cancel");
        await visit.Page.Keyboard.PressAsync("Enter");
        await Expect(visit.Where).ToHaveTextAsync("Cancelled");

        await visit.Prompt.FocusAsync();
        await visit.Page.Keyboard.PressAsync("Control+A");
        await visit.Page.Keyboard.TypeAsync("a fish");
        await FocusAsync(visit, "Paint");
        await visit.Page.Keyboard.PressAsync("Space");
        await visit.ExpectPaintedAsync();
        await FocusAsync(visit, "Again with this seed");
        await visit.Page.Keyboard.PressAsync("Enter");
        await Expect(visit.Prompt).ToBeFocusedAsync();
        await FocusAsync(visit, "a fish");
        await visit.Page.Keyboard.PressAsync("Enter");
        await Expect(visit.Stage).ToBeFocusedAsync();
        visit.HadNoTrouble();
    }

    /// <summary>Tabs on until the focus is on what starts with this text.</summary>
    static async Task FocusAsync(Visit visit, string text)
    {
        for (var pressed = 0; pressed < 60; pressed++)
        {
            if (await visit.Page.EvaluateAsync<bool>("text => document.activeElement !== document.body && document.activeElement.tagName !== 'TEXTAREA' && document.activeElement.textContent.trim().startsWith(text)", text))
                return;
            await visit.Page.Keyboard.PressAsync("Tab");
        }
        Assert.Fail($"'{text}' is not reached by the Tab key.");
    }

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
    public async Task A_hostile_prompt_is_shown_as_it_is_and_breaks_nothing(string prompt)
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions());
        await using var visit = await browser.VisitAsync(server.Address, width: 390, height: 844);
        await visit.Page.GotoAsync("/");
        await visit.PaintAsync(prompt);
        await visit.ExpectPaintedAsync();
        await ShownAsync();
        await visit.Page.ReloadAsync();
        await visit.Hung.First.ClickAsync();
        await Expect(visit.Painted).ToHaveCountAsync(1);
        await ShownAsync();
        visit.HadNoTrouble();

        async Task ShownAsync()
        {
            Assert.Equal(prompt, await visit.Page.Locator("#stage .placard .words").EvaluateAsync<string>("element => element.textContent"));
            Assert.Equal("Muse: paint", await visit.Page.TitleAsync());
            Assert.Equal(0, await visit.Page.Locator("main script, main style, main img[src=x]").CountAsync());
            await visit.FitsTheWidthAsync();
        }
    }

    [SkippableFact]
    public async Task Where_keys_are_on_the_page_asks_for_one_and_then_paints()
    {
        await using var server = await ApiServer.StartAsync(new PainterOptions(), new Dictionary<string, string> { ["Api:Keys"] = "ada:a-secret-of-ada-1815" });
        await using var visit = await browser.VisitAsync(server.Address);
        visit.Expects("401 (Unauthorized)");
        await visit.Page.GotoAsync("/");
        await visit.Page.GetByLabel("Key", new() { Exact = true }).FillAsync("a-secret-of-ada-1815");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Use this key" }).ClickAsync();
        await visit.PaintAsync("a boat");
        await visit.ExpectPaintedAsync();
        await visit.Page.ReloadAsync();
        await Expect(visit.Page.Locator("#wall img.painted")).ToHaveCountAsync(1);
        await Expect(visit.Page.Locator("#wall img.painted")).ToHaveJSPropertyAsync("complete", true);
        visit.HadNoTrouble();
    }

    [GeneratedRegex(@"Your request waits; next try in \d+ s")]
    private static partial Regex NextTry();

    [GeneratedRegex(@"\w+ \w+ \w+")]
    private static partial Regex SomeWords();
}
