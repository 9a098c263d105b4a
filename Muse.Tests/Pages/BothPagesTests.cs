using System.Globalization;
using Microsoft.Playwright;
using Muse.Tests.Api;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>What holds for both pages: size, accessibility, layout, colours, security policy.</summary>
[Collection(nameof(Browser))]
public sealed class BothPagesTests(Browser browser)
{
    const int MaxBytes = 150_000;

    [SkippableTheory]
    [InlineData("/")]
    [InlineData("/ops")]
    public async Task The_first_load_takes_less_than_150_KB(string path)
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address);
        var session = await visit.Page.Context.NewCDPSessionAsync(visit.Page);
        await session.SendAsync("Network.enable");
        double bytes = 0;
        session.Event("Network.dataReceived").OnEvent += (_, data) => bytes += data!.Value.GetProperty("encodedDataLength").GetDouble();
        session.Event("Network.responseReceived").OnEvent += (_, data) =>
            bytes += data!.Value.GetProperty("response").GetProperty("encodedDataLength").GetDouble();
        await visit.Page.GotoAsync(path, new() { WaitUntil = WaitUntilState.Load });
        await visit.Page.EvaluateAsync("document.fonts.ready.then(() => true)");
        await Expect(visit.Page.Locator("h1")).ToBeVisibleAsync();
        Assert.InRange(bytes, 20_000, MaxBytes);
        visit.AssertNoProblems();
    }

    [SkippableTheory]
    [InlineData("/", ColorScheme.Light, 1360)]
    [InlineData("/", ColorScheme.Dark, 390)]
    [InlineData("/ops", ColorScheme.Light, 390)]
    [InlineData("/ops", ColorScheme.Dark, 1360)]
    public async Task The_page_is_accessible_and_fits_the_screen(string path, ColorScheme scheme, int width)
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address, scheme, width);
        await visit.Page.GotoAsync("/");
        await visit.SubmitAsync("a large red star above a small blue house at night");
        await visit.ExpectFinishedAsync();
        if (path == "/ops")
        {
            await visit.Page.GotoAsync(path);
            await Expect(visit.Page.Locator("#live")).ToHaveTextAsync("Live");
        }
        else
        {
            await visit.Page.Locator("#settings").EvaluateAsync("element => element.open = true");
        }
        await visit.IsAccessibleAsync();
        await visit.FitsTheWidthAsync();
        visit.AssertNoProblems();
    }

    [SkippableFact]
    public async Task The_colours_follow_the_system_until_the_user_chooses_and_the_choice_is_kept()
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        await using var visit = await browser.VisitAsync(server.Address, ColorScheme.Dark);
        await visit.Page.GotoAsync("/");
        Assert.True(await BrightnessAsync(visit) < 0.2);
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Colours: as the system" }).ClickAsync();
        Assert.True(await BrightnessAsync(visit) > 0.8);
        await visit.Page.GotoAsync("/ops");
        Assert.True(await BrightnessAsync(visit) > 0.8);
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Colours: light" }).ClickAsync();
        Assert.True(await BrightnessAsync(visit) < 0.2);
        visit.AssertNoProblems();
    }

    [SkippableTheory]
    [InlineData("/")]
    [InlineData("/ops")]
    public async Task The_policy_allows_no_inline_script_or_style_and_no_other_host(string path)
    {
        await using var server = await ApiServer.StartAsync(new FlatImageWorkerOptions());
        using var answer = await server.Client.GetAsync(path);
        var policy = string.Join(' ', answer.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("http:", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("https:", policy, StringComparison.Ordinal);
    }

    /// <summary>The red of the background, from 0 to 1.</summary>
    static async Task<double> BrightnessAsync(Visit visit)
    {
        var colour = await visit.Page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor");
        return double.Parse(colour.Split('(', ',')[1], CultureInfo.InvariantCulture) / 255;
    }
}
