using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Sampling;

public class SamplerNameTests
{
    static readonly SchedulerConfig Stable = Parse("""{ "_class_name": "PNDMScheduler", "skip_prk_steps": true }""");

    [Fact]
    public void Every_name_makes_the_sampler_of_that_name()
    {
        var lcm = Parse("""{ "_class_name": "LCMScheduler" }""");
        var flow = Parse("""{ "_class_name": "FlowMatchEulerDiscreteScheduler" }""");
        foreach (var name in Samplers.Names)
            Assert.Equal(name, Samplers.Create(name switch { "lcm" => lcm, "flow_euler" => flow, _ => Stable }, name).Name);
    }

    [Theory]
    [InlineData("Euler a", "euler_a")]
    [InlineData("DPM++ 2M", "dpmpp_2m")]
    [InlineData("DPM++ 2M Karras", "dpmpp_2m_karras")]
    [InlineData("dpm++ 2m sde karras", "dpmpp_2m_sde_karras")]
    [InlineData("DPMSolverMultistepScheduler", "dpmpp_2m")]
    [InlineData("DDIM", "ddim")]
    [InlineData("PLMS", "pndm")]
    [InlineData("UniPC", "unipc")]
    [InlineData("euler-ancestral", "euler_a")]
    public void Spellings_that_people_use_are_known(string spelling, string name) =>
        Assert.Equal(name, Samplers.Create(Stable, spelling).Name);

    [Theory]
    [InlineData("""{ "_class_name": "PNDMScheduler" }""", "pndm")]
    [InlineData("""{ "_class_name": "EulerDiscreteScheduler" }""", "euler")]
    [InlineData("""{ "_class_name": "EulerAncestralDiscreteScheduler" }""", "euler_a")]
    [InlineData("""{ "_class_name": "DPMSolverMultistepScheduler" }""", "dpmpp_2m")]
    [InlineData("""{ "_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": true }""", "dpmpp_2m_karras")]
    [InlineData("""{ "_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++" }""", "dpmpp_2m_sde")]
    [InlineData("""{ "_class_name": "UniPCMultistepScheduler" }""", "unipc")]
    public void A_model_s_own_sampler_comes_first_of_those_that_suit_it(string json, string name)
    {
        var available = Samplers.AvailableFor(Parse(json));
        Assert.Equal(name, available[0]);
        Assert.Equal(Samplers.Names.Except(["lcm", "flow_euler"]).Order(), available.Order());
        Assert.Equal(name, Samplers.Create(Parse(json)).Name);
    }

    [Theory]
    [InlineData("""{ "_class_name": "LCMScheduler" }""", "lcm")]
    [InlineData("""{ "_class_name": "FlowMatchEulerDiscreteScheduler" }""", "flow_euler")]
    [InlineData(
        """
        {
          "_class_name": "DPMSolverMultistepScheduler",
          "prediction_type": "flow_prediction",
          "use_flow_sigmas": true,
          "flow_shift": 3.0
        }
        """,
        "flow_euler")]
    public void Consistency_and_flow_models_have_one_sampler(string json, string name) =>
        Assert.Equal([name], Samplers.AvailableFor(Parse(json)));

    [Theory]
    [InlineData("plasma", "There is no sampler 'plasma'; it can use ")]
    [InlineData("lcm", "The sampler 'lcm' does not suit this model; it can use ")]
    public void The_error_for_an_unknown_name_lists_the_known_ones(string name, string message)
    {
        var error = Assert.Throws<ArgumentException>(() => Samplers.Create(Stable, name));
        Assert.StartsWith(message + "pndm, euler, euler_a, ddim, dpmpp_2m, dpmpp_2m_karras", error.Message);
    }

    [Fact]
    public void Karras_is_what_the_name_says_whatever_the_file_says()
    {
        var karras = Parse("""{ "_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": true }""");
        Assert.Equal(Samplers.Create(Stable, "dpmpp_2m").Plan(10).Sigmas, Samplers.Create(karras, "dpmpp_2m").Plan(10).Sigmas);
        Assert.NotEqual(Samplers.Create(Stable, "dpmpp_2m").Plan(10).Sigmas, Samplers.Create(Stable, "dpmpp_2m_karras").Plan(10).Sigmas);
    }

    static SchedulerConfig Parse(string json) => SchedulerConfig.Parse(json);
}
