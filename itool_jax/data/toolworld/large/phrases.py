"""Ready-made sentences around results, questions and tools."""

from itool_jax.data.toolworld.large.ways import ways

# How a result is handed on inside one answer: results are counted over the whole answer, from 0, as Seal-Tools does.
NESTING = (
    "A call can use a result of an earlier call of the same answer: the results that tools return are numbered over "
    'the answer, and "API_call_0" stands for the first.',
    'Answer with all calls at once. Write "API_call_N" for result N of the calls before it, counted from 0 over all '
    "results that their tools return.",
    'Results of calls in one answer are named "API_call_0", "API_call_1" and so on, in the order in which the tools '
    "list what they return; use these names as values of later calls.",
)
HANDED_ON = ways(
    "with the {l} you get|using the {l} from that|with the resulting {l}|taking the {l} that comes out|"
    "with whatever {l} that gives|and use the {l} you just got|with the {l} of the step before|with its {l}"
)
POINTING = ways(
    "with the {l} from the result|using the {l} you found|with the {l} you got|taking the {l} from above|"
    "with the {l} you just told me|with that {l}|and use the {l} from before|for the {l} we just saw"
)
AGAIN = ways(
    "The same again, but {p}|Do the same {p}|Once more, but this time {p}|And now {p}|Repeat that {p}|"
    "Now do it again, only {p}|One more of these {p}|Same thing {p}|Again please, this time {p}|And what about {p}?"
)
PUT_RIGHT = ways(
    "No, wait, it should have been {p}|Sorry, I meant {p}|That was wrong: do it over {p}|"
    "My mistake, it has to be {p}|Oops, I should have said {p}|Not like that, please {p}|Correction: {p}|"
    "Actually, make it {p}|Hm, rather {p}"
)
ASK_FOR = ways(
    "Could you tell me {l}?|Please tell me {l}.|I still need {l}.|What about {l}?|To do that I need {l}.|"
    "You did not mention {l}.|May I ask for {l}?|Let me know {l}, please.|Before I go on: please give me {l}."
)
NO_TOOL = ways(
    "None of these tools can do that.|I am sorry, but I have no tool for that.|That is beyond the tools I have.|"
    "I cannot do that with the given tools.|Unfortunately there is no tool here that does this."
)
ABILITIES = ways(
    "What can you do?|Which tools do you have?|How can you help me?|What are your tools?|What is possible with you?|"
    "Show me what you are able to do.|What kinds of things can I ask you for?|Tell me about your functions."
)
CAN = ("I can call", "My tools are", "I have these tools:", "You can ask me for")
LISTENING = (
    *(
        "I see. Is there anything I can do for you?",
        "Tell me if I can help.",
        "Thanks for telling me. What can I do for you?",
    ),
    *("I hope it turns out well. Let me know if you need something.",),
)
ERRORS = ways(
    "not found|no connection|access denied|service is closed|limit reached|timed out|internal error|invalid state|"
    "quota exceeded|maintenance in progress|permission missing|too many requests"
)
FAILED = (
    "That did not work: {e}.",
    "I could not do it: {e}.",
    "The tool reports an error: {e}.",
    "Sorry, it failed: {e}.",
)
THANKS = ways(
    "Thanks!|Thank you.|Great, thanks.|Perfect, that is all.|Wonderful!|That's what I needed.|Super, bye!|"
    "Okay, good.|Nice, cheers.|All right, that helps.|Good to know.|Awesome, thank you so much!"
)
WELCOME = ("You are welcome.", "Glad to help.", "Any time.", "With pleasure.")
ASK_AGAIN = ways(
    "What was the {l} again?|Sorry, which {l} was it?|Can you repeat the {l}?|And the {l} was what?|"
    "Tell me the {l} once more.|I missed the {l}, what was it?|Remind me of the {l}?"
)
DONE = ("Done.", "That is done.", "All set.", "It worked.")
