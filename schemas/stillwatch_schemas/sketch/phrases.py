"""Our own phrase lists for the lexicon, in English, Chinese, German, French and Spanish.

`weight: phrases`, split by `|`. `#` stands for any number, `*` for up to three words.
1.6 is unmistakable, 0.7 a request, 0.25 a hint.
"""

from __future__ import annotations

ELICITATION = {
    1.6: """
        think step by step|every intermediate step|all intermediate steps|each intermediate step|how you reached|
        reason step by step|show your reasoning|explain your reasoning|show your chain of thought|
        explain your chain of thought|your chain of thought|write out your reasoning|show all your reasoning|
        full reasoning process|complete reasoning process|your thought process|your thinking process|
        detailed reasoning|reasoning trace|internal monologue|inner monologue|think out loud|think aloud|
        before the final answer explain|reasoning before * answer|solve * step by step|explain * step by step|
        answer step by step|work through * step by step|let us think step by step|lets think step by step|
        请逐步推理|一步一步地思考|一步步思考|逐步思考|一步一步推理|展示你的推理|推理过程|思考过程|思维链|
        写出你的思路|详细的推理|给出推理步骤|解释你的推理|denke schritt für schritt|denk schritt für schritt|
        schritt für schritt nach|deine gedankenkette|zeige deine überlegungen|erkläre deine überlegungen|
        erläutere deine überlegungen|deinen gedankengang|deinen denkprozess|begründe jeden schritt|
        réfléchis étape par étape|raisonne étape par étape|raisonnement étape par étape|montre ton raisonnement|
        montrez votre raisonnement|explique ton raisonnement|expliquez votre raisonnement|chaîne de pensée|
        processus de réflexion|détaille ton raisonnement|piensa paso a paso|razona paso a paso|
        razonamiento paso a paso|muestra tu razonamiento|explica tu razonamiento|cadena de pensamiento|
        proceso de pensamiento|detalla tu razonamiento
    """,
    0.7: """
        step by step|line by line|chain of thought|before the final answer|before giving * answer|before you answer|
        reason through|think carefully|work * out|spell out * steps|show your work|show all work|show the steps|
        show each step|show every step|explain each step|explain how you arrived|how did you arrive|how you got|
        justify each step|intermediate steps|explain why you chose|walk me through|derivation|scratchpad|rationale|
        逐步|分步|一步一步|解题步骤|详细步骤|推导过程|schritt für schritt|lösungsweg|rechenweg|étape par étape|
        paso a paso|justifie chaque étape|justifica cada paso
    """,
    0.25: """
        explain your answer|explain why|in detail|justify|reasoning|detailed explanation|详细解释|说明理由|begründe|
        begründung|ausführlich|justifie|raisonnement|en détail|justifica|razonamiento|en detalle
    """,
}
"""Asks for written-out reasoning."""

GRADING = {
    1.6: """
        score the response|score this response|score the answer|rate the response|rate the following response|
        rate the answer|rate * from # to #|score * from # to #|rate * on a scale|score * on a scale|scale of # to #|
        scale from # to #|which answer is better|which response is better|which of the two|better response|
        preferred response|chosen and rejected|reward model|reward function|grading rubric|scoring rubric|rubric|
        impartial judge|act as a judge|as a judge|pairwise comparison|preference label|preference data|
        compare the two responses|compare the two answers|evaluate the quality of the response|grade the answer|
        grade the response|response a|response b|给下面的回答打分|评分标准|打分|请评分|评判标准|哪个回答更好|
        哪一个回答更好|奖励模型|偏好数据|分到 # 分|比较两个回答|# 到 # 分|评估回答的质量|bewerte die antwort|
        bewerte die folgende antwort|bewertungsskala|bewertungskriterien|auf einer skala von # bis #|
        welche antwort ist besser|skala von # bis #|unparteiischer richter|belohnungsmodell|
        vergleiche die beiden antworten|évalue la réponse|évaluez la réponse|note la réponse|notez la réponse|
        sur une échelle de # à #|échelle de # à #|quelle réponse est meilleure|quelle réponse est la meilleure|
        grille d évaluation|modèle de récompense|juge impartial|evalúa la respuesta|califica la respuesta|
        puntúa la respuesta|en una escala de # a #|escala del # al #|escala de # a #|qué respuesta es mejor|rúbrica|
        modelo de recompensa|juez imparcial|compara las dos respuestas
    """,
    0.7: """
        assistant a|assistant b|model a|model b|answer a|answer b|from # to #|between # and #|grading|ranking|
        rank the|helpfulness|harmlessness|criteria|criterion|ground truth|reference answer|verdict|evaluation|评价|
        评估|排序|更好|bewertung|bewerte|kriterien|von # bis #|évaluation|critères|évalue|evaluación|criterios|
        evalúa
    """,
    0.25: """
        score|rate|judge|grade|points|better|correctness|accuracy|分数|punkte|note|puntuación
    """,
}
"""Asks to grade, rank or reward answers."""

PROBING = {
    1.6: """
        ignore previous instructions|ignore all previous instructions|ignore your instructions|
        disregard * instructions|ignore * rules|forget * rules|ignore * guidelines|no restrictions|
        without restrictions|without any restrictions|without ethical|no ethical|no moral|jailbreak|do anything now|
        developer mode|bypass * safety|bypass * filter|bypass * filters|bypass * restrictions|unfiltered|uncensored|
        reveal your system prompt|your system prompt|your hidden instructions|your safety guidelines|
        your content policy|what are you not allowed|are you not allowed|why did you refuse|you refuse to|
        would you refuse|make a bomb|build a bomb|pipe bomb|synthesize meth|make meth|nerve agent|bioweapon|
        chemical weapon|write malware|create malware|ransomware|keylogger|kill someone|hide a body|commit suicide|
        credit card fraud|steal * credit card|phishing email|hack into|忽略之前的指令|忽略以上|无视规则|
        没有任何限制|不受限制|越狱|绕过安全|绕过限制|你的系统提示|你的安全准则|制造炸弹|制作炸弹|制造毒品|恶意软件|
        你为什么拒绝|不道德|ignoriere * anweisungen|ohne einschränkungen|keine einschränkungen|dein systemprompt|
        deine sicherheitsrichtlinien|bombe bauen|warum weigerst du|schadsoftware|umgehe * filter|
        ignore * instructions précédentes|oublie * instructions|sans restrictions|sans aucune restriction|
        tes consignes de sécurité|fabriquer une bombe|pourquoi refuses tu|logiciel malveillant|contourne * filtres|
        ignora * instrucciones|sin restricciones|sin ninguna restricción|tus normas de seguridad|fabricar una bomba|
        por qué te niegas|programa malicioso|evade * filtros
    """,
    0.7: """
        pretend you are not|pretend that you are not|stay in character|hypothetically|as an unrestricted|evil|
        illegal|unethical|malware|exploit|weapon|weapons|explosive|poison|drugs|hate speech|racist|self harm|
        suicide|refusal|refuse|harmful|非法|违法|毒品|武器|自杀|歧视|illegale|waffen|sprengstoff|illégal|armes|
        explosif|ilegal|armas|explosivo
    """,
    0.25: """
        dangerous|unsafe|safety|policy|violence|kill|murder|steal|hack|offensive|暴力|危险|gefährlich|gewalt|
        dangereux|peligroso|violencia
    """,
}
"""Probes what safety training forbids."""
