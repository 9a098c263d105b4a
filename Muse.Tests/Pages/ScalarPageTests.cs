using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Muse.Tests.Api;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>The page at <c>/scalar</c>, the reference of the API.</summary>
[Collection(nameof(Browser))]
public sealed partial class ScalarPageTests(Browser browser)
{
    [SkippableFact]
    public async Task It_shows_the_API_and_loads_nothing_from_other_hosts()
    {
        await using var server = await ApiServer.StartAsync(null, withoutWorker: true);
        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/scalar/");
        await Expect(visit.Page.GetByRole(AriaRole.Heading, new() { NameRegex = Title() }).First).ToBeVisibleAsync();
        await Expect(visit.Page.GetByText("/v1/images/generations").First).ToBeVisibleAsync();
        await visit.Page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        visit.AssertNoProblems();
    }

    [GeneratedRegex("Muse")]
    private static partial Regex Title();
}
